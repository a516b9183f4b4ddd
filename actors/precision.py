"""The number format a model computes in: bfloat16 where the device has arithmetic for it, else float32.

A processor without it (no AVX-512, as in most laptops) multiplies bfloat16 matrices in torch's own loops,
many times more slowly than float32 ones.
"""

import torch

from protocols.hardware import Dtype


def dtype_on(device: torch.device, wanted: Dtype) -> torch.dtype:
    """`wanted`; with `auto` the faster format on `device`."""
    if wanted == "auto":
        wanted = "bfloat16" if _has_bfloat16(device) else "float32"
    return torch.float32 if wanted == "float32" else torch.bfloat16


def named(dtype: torch.dtype) -> str:
    """As settings name it: `bfloat16`."""
    return str(dtype).removeprefix("torch.")


def _has_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    # What torch itself asks before it gives a bfloat16 product to oneDNN instead of a loop of its own.
    return torch.backends.mkldnn.is_available() and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())

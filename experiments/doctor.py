"""What this machine offers, and what is missing: nothing is changed, nothing is downloaded."""

import json
import os
import platform
import shutil
import subprocess
from pathlib import Path
from typing import Any

from experiments import memory_use, summary

SECTIONS = ("versions", "machine", "gpu", "sandbox", "models", "browser")


def examine() -> dict[str, Any]:
    """Facts by section, JSON-codable."""
    return {
        "versions": summary.versions() | {"vllm": summary.versions().get("vllm", "missing")},
        "machine": _machine(),
        "gpu": _gpu(),
        "sandbox": _sandbox(),
        "models": _models(),
        "browser": _browser(),
    }


def as_json() -> str:
    return json.dumps(examine())


def as_text() -> str:
    """The same for people: one fact a line."""
    found = examine()
    lines: list[str] = []
    for section in SECTIONS:
        lines.append(section)
        value = found[section]
        rows = value.items() if isinstance(value, dict) else [(r["name"], _row(r)) for r in value]
        lines += [f"  {name:<22} {shown}" for name, shown in rows]
    return "\n".join(lines)


def _row(row: dict[str, Any]) -> str:
    return f"{row['state']:<8} {row.get('reason', '')}".rstrip()


def _machine() -> dict[str, Any]:
    gb = 1e9
    disk = shutil.disk_usage(Path.cwd())
    return {
        **summary.machine(),
        "cores in all": os.cpu_count(),
        "memory free GB": round(memory_use.available() / gb, 1),
        "disk free GB": round(disk.free / gb, 1),
        "python": platform.python_implementation(),
    }


def _gpu() -> dict[str, Any]:
    """Asked of a child process: a broken driver must not take the doctor down with it."""
    import sys

    code = (
        "import torch, json; n = torch.cuda.device_count() if torch.cuda.is_available() else 0;"
        "print(json.dumps({torch.cuda.get_device_name(i): "
        "f'{torch.cuda.get_device_properties(i).total_memory / 1e9:.0f} GB' for i in range(n)}))"
    )
    try:
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    except subprocess.TimeoutExpired:
        return {"gpu": "unknown: torch gave no answer within 120 s"}
    if done.returncode:
        return {"gpu": f"unknown: {(done.stderr.strip().splitlines() or ['torch failed'])[-1]}"}
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found or {"gpu": "none; everything computes on the CPU"}


def _sandbox() -> list[dict[str, Any]]:
    from actors.sandbox.slot import layers

    return [{"name": x.name, "state": str(x.state), "reason": x.reason} for x in layers()]


def _models() -> list[dict[str, Any]]:
    from experiments import models

    return models.listing()


def _browser() -> dict[str, Any]:
    names = {"chromium": ("chromium", "chromium-browser", "google-chrome"), "driver": ("chromedriver",)}
    return {
        what: next((p for n in choices if (p := shutil.which(n))), "missing (only tests need it)")
        for what, choices in names.items()
    }

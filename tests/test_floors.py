"""Imports only go down the floors, and the light modules stay light."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
HEAVY = ("torch", "transformers", "ray", "streamlit", "numpy", "pandas", "networkx", "plotly", "sqlite_utils")


def test_import_contracts_hold() -> None:
    code = "from importlinter.cli import lint_imports_command as c; c(['--no-cache'])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 kept, 0 broken" in done.stdout


def test_import_contracts_notice_a_climb(tmp_path: Path) -> None:
    """The contracts in pyproject.toml fail on a package that imports upwards."""
    for package in ("actors", "protocols", "memory", "ui", "experiments"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text("")
    (tmp_path / "memory" / "bad.py").write_text("import experiments\n")
    (tmp_path / "protocols" / "bad.py").write_text("import torch\n")
    (tmp_path / "ui" / "bad.py").write_text("import ray\n")
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    code = "from importlinter.cli import lint_imports_command as c; c(['--no-cache'])"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {code}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode != 0
    assert "3 broken" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize(
    "module", ["experiments.cli", "experiments.config", "protocols.records", "protocols.domain"]
)
def test_light_modules_import_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}; print(' '.join(m for m in {HEAVY!r} if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""

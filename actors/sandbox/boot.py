"""Starts a helper process: `python -s -P [-S] boot.py (warden|zygote) ARGUMENTS`.

The packages' own `__init__` files are passed over, because they import what a helper must not carry:
settings and domains, and with them pydantic or NumPy. Standard library only.
"""

import importlib
import sys
import types
from pathlib import Path


def main() -> None:
    root = Path(__file__).resolve().parents[2]
    for name in ("actors", "actors.sandbox", "protocols", "protocols.domains", "protocols.domains.zwc"):
        package = types.ModuleType(name)
        package.__path__ = [str(root.joinpath(*name.split(".")))]
        sys.modules[name] = package
    importlib.import_module(f"actors.sandbox.{sys.argv[1]}").main(sys.argv[2:])


if __name__ == "__main__":
    main()

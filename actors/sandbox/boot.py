"""Starts a helper process: `python -s -P [-S] boot.py (warden|zygote) ARGUMENTS`.

The packages' own `__init__` files are passed over, because they import what a helper must not carry:
settings and domains, and with them pydantic or NumPy. Standard library only, and in the zygote as little of
it as can be: every page of its memory costs each program.
"""

import importlib
import os.path
import sys
import types


def main() -> None:
    root = os.path.realpath(__file__).rsplit("/", 3)[0]
    for name in ("actors", "actors.sandbox", "protocols", "protocols.domains", "protocols.domains.zwc"):
        package = types.ModuleType(name)
        package.__path__ = [f"{root}/{name.replace('.', '/')}"]
        sys.modules[name] = package
    importlib.import_module(f"actors.sandbox.{sys.argv[1]}").main(sys.argv[2:])


if __name__ == "__main__":
    main()

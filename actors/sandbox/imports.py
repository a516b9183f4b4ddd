"""Which modules a program may import: harmless parts of the standard library, and the task's package.

Two checks. Before a program runs, every import statement in it is looked at, wherever it stands: one that
names another module makes it `forbidden_import`, even in a branch that is never taken or inside `try`. While
it runs, `__import__` and the import system refuse the rest, whoever asks (`exec`, `importlib`, a loader).

This is policy, not protection: modules can be reached through other objects (`typing.sys`), and what they
then try to do is stopped by the kernel's layers. NumPy is not in the process, nor in any file it can open.
"""

import ast
import builtins
import importlib
import sys
from collections.abc import Callable
from typing import Any

ALLOWED = frozenset(
    [
        "__future__",
        "abc",
        "array",
        "base64",
        "binascii",
        "bisect",
        "calendar",
        "cmath",
        "collections",
        "colorsys",
        "contextlib",
        "copy",
        "dataclasses",
        "datetime",
        "decimal",
        "enum",
        "fractions",
        "functools",
        "graphlib",
        "hashlib",
        "heapq",
        "itertools",
        "json",
        "keyword",
        "math",
        "numbers",
        "operator",
        "pprint",
        "random",
        "re",
        "statistics",
        "string",
        "struct",
        "textwrap",
        "time",
        "types",
        "typing",
        "unicodedata",
        "warnings",
    ]
)

# Needed by the above at run time, when there is no file left to load it from.
_LATER = [
    "_strptime",
    "collections.abc",
    "encodings.ascii",
    "encodings.cp1252",
    "encodings.hex_codec",
    "encodings.idna",
    "encodings.latin_1",
    "encodings.utf_16",
    "encodings.utf_32",
    "encodings.unicode_escape",
    "inspect",
    "json.decoder",
    "json.encoder",
    "linecache",
    "locale",
    "stringprep",
    "tokenize",
    "traceback",
]
# Only where the policy is switched off, to show what holds without it.
_EVERYTHING = [
    "asyncio",
    "ctypes",
    "mmap",
    "multiprocessing.shared_memory",
    "posix",
    "signal",
    "socket",
    "subprocess",
    "threading",
]


def preload(policy: bool) -> None:
    """Import all that programs may use, while the files are still in reach."""
    for name in [*sorted(ALLOWED), *_LATER, *([] if policy else _EVERYTHING)]:
        importlib.import_module(name)


def forbidden(tree: ast.AST, package: str) -> str | None:
    """The first module that an import statement names and the sandbox does not offer."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or "."] if not node.level else ["."]
        else:
            continue
        for name in names:
            if not permitted(name, package):
                return name
    return None


def permitted(name: str, package: str) -> bool:
    root = name.partition(".")[0]
    return root in ALLOWED or root == package


def guard(package: str, report: Callable[[str], Any]) -> None:
    """Replace this process's imports by ones that call `report` with the name of a forbidden module.

    The standard library goes on importing what it needs: an import is its own when the globals that it
    comes from are those of a module that was loaded before the program.
    """
    original = builtins.__import__
    trusted = {id(vars(module)) for module in sys.modules.values()}

    def guarded(
        name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0
    ) -> Any:
        if id(globals) not in trusted and (level or type(name) is not str or not permitted(name, package)):
            report(str(name))
        return original(name, globals, locals, fromlist, level)

    class Guard:
        """Asked for whatever is not loaded yet, by whichever route."""

        @staticmethod
        def find_spec(name: str, path: Any = None, target: Any = None) -> None:
            if name.partition(".")[0] not in sys.stdlib_module_names:
                report(name)

    builtins.__import__ = guarded
    sys.meta_path[:] = [Guard]

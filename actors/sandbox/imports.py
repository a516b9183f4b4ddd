"""Which modules a program may import: harmless parts of the standard library, and the task's package.

Two checks. Before a program runs, every import in its compiled code is looked at, wherever it stands: one
that names another module makes it `forbidden_import`, even in a branch that is not taken or inside `try`.
While it runs, `__import__` and the import system refuse the rest, whoever asks (`exec`, `importlib`, a
loader), and end the program.

This is policy, not protection: modules can be reached through other objects (`typing.sys`), and what they
then try to do is stopped by the kernel's layers. NumPy is not in the process, nor in any file it can open.
"""

import builtins
import importlib
import opcode
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

_OFFERED = """
__future__ abc array base64 binascii bisect calendar cmath collections colorsys contextlib copy dataclasses
datetime decimal enum fractions functools graphlib heapq itertools json keyword math numbers operator pprint
random re statistics string struct textwrap time types typing unicodedata warnings
_strptime copyreg
"""  # the last two are imported by C code in the program's name
# Needed by the above at run time, when there is no file left to load it from.
_LATER = """
collections.abc encodings.ascii encodings.cp1252 encodings.hex_codec encodings.idna
encodings.latin_1 encodings.unicode_escape encodings.utf_16 encodings.utf_32 inspect json.decoder json.encoder
linecache locale stringprep tokenize traceback
"""
# Only where the policy is switched off, to show what holds without it.
_MORE = "asyncio ctypes importlib.util mmap multiprocessing posix signal socket subprocess threading"

ALLOWED = frozenset(_OFFERED.split())

_IMPORT = opcode.opmap["IMPORT_NAME"]
_EXTENDED = opcode.EXTENDED_ARG


def preload(policy: bool) -> None:
    """Import all that programs may use, while the files are still in reach."""
    for name in (_OFFERED + _LATER + ("" if policy else _MORE)).split():
        importlib.import_module(name)


def permitted(name: str, package: str) -> bool:
    root = name.partition(".")[0]
    return root in ALLOWED or root == package


def forbidden(code: types.CodeType, package: str) -> str | None:
    """The first module that compiled code imports and the sandbox does not offer."""
    return next((name for name in _imported(code) if not permitted(name, package)), None)


def _imported(code: types.CodeType) -> Iterator[str]:
    steps = code.co_code  # pairs of operation and argument
    if _IMPORT in steps[::2]:
        extended = 0
        for i in range(0, len(steps), 2):
            argument = extended | steps[i + 1]
            extended = argument << 8 if steps[i] == _EXTENDED else 0
            if steps[i] == _IMPORT:
                yield code.co_names[argument]
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _imported(constant)


class Guard:
    """Replaces this process's imports by ones that end the program when it asks for a forbidden module.

    The standard library goes on importing what it needs: an import is its own when the globals that it
    comes from are those of a module that was loaded before the program. Made in the zygote, so that it is
    there already in every child, which sets `package` and `report`.
    """

    package = ""

    def __init__(self) -> None:
        self._import = builtins.__import__
        self._trusted = {id(vars(module)) for module in sys.modules.values()}
        builtins.__import__ = self
        sys.meta_path[:] = [self]

    report: Callable[[str], NoReturn]

    def __call__(
        self, name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0
    ) -> Any:
        if id(globals) not in self._trusted and (
            level or type(name) is not str or not permitted(name, self.package)
        ):
            self.report(str(name))
        return self._import(name, globals, locals, fromlist, level)

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        """Asked for whatever is not loaded yet, by whichever route."""
        if name.partition(".")[0] not in sys.stdlib_module_names:
            self.report(name)

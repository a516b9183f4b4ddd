"""An obfuscated library as an importable package on disk, with its documentation.

    FOLDER/PACKAGE/__init__.py     opens the package: random names only
    FOLDER/PACKAGE/*.py            client and service, as they are here
    FOLDER/PACKAGE/library.bin     names and module, compressed, for the service
    FOLDER/api_doc.jsonl           one function a line, in SE-Bench's fields

Does not cover: hiding the map from people. Who can read the folder can decompress it.
"""

import inspect
import json
import re
from importlib import import_module
from pathlib import Path
from typing import Any

from protocols.domains.zwc.documentation import document
from protocols.domains.zwc.obfuscate import Library
from protocols.domains.zwc.service import resolve
from protocols.errors import SettingError

_PARTS = ("callables", "client", "codec", "launcher", "scrub", "service", "shaking", "signatures")
_INIT = '''"""{package}: arrays and functions. Its documentation is in ../api_doc.jsonl."""

from .launcher import open_here

open_here(
    {package!r},
    (
{names}
    ),
    __path__[0],
)
'''


def write(library: Library, folder: Path) -> None:
    """Write the package and its documentation; files of the same name are replaced.

    Raises:
        SettingError: the folder cannot be written to.
    """
    target = Path(folder) / library.package
    here = Path(__file__).parent
    names = "\n".join(f"        {name!r}," for name in library.public)
    rows = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in api_rows(library))
    try:
        target.mkdir(parents=True, exist_ok=True)
        for part in _PARTS:
            (target / f"{part}.py").write_text((here / f"{part}.py").read_text())
        (target / "__init__.py").write_text(_INIT.format(package=library.package, names=names))
        (target / "library.bin").write_bytes(library.blob)
        (Path(folder) / "api_doc.jsonl").write_text(rows)
    except OSError as error:
        raise SettingError(
            f"out: cannot write to {folder} ({error.strerror}); choose another folder"
        ) from None


def api_rows(library: Library) -> list[dict[str, Any]]:
    """One row a function: original_name, curr_name, docstring, func_mapping (JSON), rewritten_doc.

    `func_mapping` holds the function itself and every mapped name that occurs in its docstring.
    """
    root = import_module(library.module)
    prefix = "np" if library.module == "numpy" else library.module
    rewritten = document(library, "full")
    rows = []
    for original, public in library.entries.items():
        text = inspect.getdoc(resolve(root, original)) or ""
        words = set(re.findall(r"\w+", text))
        mapping = {
            f"{prefix}.{name}": f"{library.package}.{other}"
            for name, other in library.entries.items()
            if name == original or name.rpartition(".")[2] in words
        }
        rows.append(
            {
                "original_name": original,
                "curr_name": public,
                "docstring": text,
                "func_mapping": json.dumps(mapping),
                "rewritten_doc": rewritten[public],
            }
        )
    return rows

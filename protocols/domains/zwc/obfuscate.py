"""Any Python module as a pseudo-novel package: random names outside, the real library in a service.

    module + names + seed ──obfuscate──▶ Library ──blob──▶ service.Service   (real module, names' map)
                                            └─────public──▶ client.build     (random names only)

The same seed and names give the same package. Does not cover: classes and constants, which are not
offered.
"""

import importlib
import inspect
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType, ModuleType

from protocols.domains.zwc.functions import CONSTRUCTORS, NAMES
from protocols.domains.zwc.names import identifiers
from protocols.domains.zwc.service import resolve
from protocols.errors import SettingError


@dataclass(frozen=True)
class Library:
    """An obfuscated module.

    `entries` maps original dotted names to obfuscated ones, both without their package:
    `"linalg.inv" -> "rufaxo.quvohe"`.
    """

    package: str
    module: str
    seed: int
    entries: Mapping[str, str] = field(hash=False)

    @property
    def public(self) -> tuple[str, ...]:
        """The obfuscated names: all that a client needs."""
        return tuple(self.entries.values())

    @cached_property
    def originals(self) -> Mapping[str, str]:
        """Obfuscated name to original name."""
        return MappingProxyType({public: original for original, public in self.entries.items()})

    @cached_property
    def blob(self) -> bytes:
        """All that a service needs, compressed. Keep it from programs: it holds the names."""
        content = {
            "package": self.package,
            "module": self.module,
            "entries": dict(self.entries),
            "constructors": CONSTRUCTORS if self.module == "numpy" else (),
        }
        return zlib.compress(json.dumps(content).encode(), 9)

    def write(self, folder: Path) -> None:
        """Write the importable package `folder/PACKAGE/` and its documentation `folder/api_doc.jsonl`."""
        from protocols.domains.zwc.writing import write

        write(self, folder)


def obfuscate(
    module: str = "numpy",
    names: Sequence[str] | None = None,
    seed: int = 7,
    package: str = "zwc",
    mapping: Mapping[str, str] | None = None,
) -> Library:
    """The library that offers `names` of a module under random ones.

    Without `names`: those of `mapping`, else the default set of NumPy, else all public functions of the
    module. `mapping` gives the obfuscated names instead of drawing them (both sides dotted, without
    package).

    Raises:
        SettingError: the module cannot be imported, a name is no function of it, or names clash.
    """
    if not package.isidentifier():
        raise SettingError(f"package: {package!r} is no identifier; choose letters, digits and _")
    try:
        root = importlib.import_module(module)
    except ImportError as error:
        raise SettingError(
            f"module: {module!r} cannot be imported ({error}); install it or name another"
        ) from None
    if names is None:
        names = tuple(mapping) if mapping else _default_names(root)
    if len(set(names)) < len(names):
        twice = next(n for n in names if list(names).count(n) > 1)
        raise SettingError(f"names: {twice!r} is there twice; name every function once")
    for name in names:
        _check(root, name)
    if mapping is None:
        entries = _draw(names, seed, package)
    else:
        missing = [n for n in names if n not in mapping]
        if missing:
            raise SettingError(
                f"mapping: {missing[0]!r} has no obfuscated name; add it or leave it out of names"
            )
        entries = {n: mapping[n] for n in names}
        if len(set(entries.values())) < len(entries):
            raise SettingError("mapping: two functions have the same obfuscated name; make them differ")
    return Library(package=package, module=module, seed=seed, entries=MappingProxyType(entries))


def _draw(names: Sequence[str], seed: int, package: str) -> dict[str, str]:
    taken = {package, *(part for name in names for part in name.split("."))}
    fresh = identifiers(seed, taken)
    spaces: dict[str, str] = {}
    entries = {}
    for name in names:
        *prefix, _ = name.split(".")
        for part in prefix:
            if part not in spaces:
                spaces[part] = next(fresh)
        entries[name] = ".".join([*(spaces[part] for part in prefix), next(fresh)])
    return entries


def _check(root: ModuleType, name: str) -> None:
    try:
        found = resolve(root, name)
    except AttributeError:
        found = None
    if not callable(found):
        raise SettingError(f"names: {name!r} is no function of {root.__name__}; check its spelling")


def _default_names(root: ModuleType) -> tuple[str, ...]:
    """The default set of NumPy; of another module, all its public functions."""
    if root.__name__ == "numpy":
        return NAMES
    offered = getattr(root, "__all__", None) or [n for n in dir(root) if not n.startswith("_")]
    found = [n for n in offered if _is_function(getattr(root, n, None))]
    if not found:
        raise SettingError(f"module: {root.__name__!r} has no public functions; name another")
    return tuple(found)


def _is_function(value: object) -> bool:
    return inspect.isroutine(value) or (callable(value) and type(value).__name__ == "ufunc")

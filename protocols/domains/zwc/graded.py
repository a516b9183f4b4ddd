"""The package as a program that is graded sees it: it knows no name that the program has not written itself.

Any name gives something that can be called. Only the service, in another process, knows which functions there
are; it answers a call of another one with `AttributeError`, and counts those. So nothing here can be listed,
and looking a name up tells nothing. Standard library only: it runs beside untrusted programs.
"""

import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from protocols.domains.zwc.client import Channel, Send


class Name:
    """A function or a namespace of the package, as the program named it."""

    def __init__(self, package: str, dotted: str, link: Channel) -> None:
        self._package, self._dotted, self._link = package, dotted, link

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._link.ask("call", self._dotted, args, kwargs)

    def __getattr__(self, name: str) -> "Name":
        if name == "__name__":
            return self._dotted.rpartition(".")[2]  # type: ignore[return-value]
        return _look_up(self._package, self._dotted, name, self._link)

    def __repr__(self) -> str:
        return f"<function {self._package}.{self._dotted}>"


def _look_up(package: str, owner: str, name: str, link: Channel) -> Name:
    if name.startswith("_"):  # as the interpreter asks, and nothing of the package's
        place = f"{package}.{owner}" if owner else package
        raise AttributeError(f"module {place!r} has no attribute {name!r}")
    return Name(package, f"{owner}.{name}" if owner else name, link)


class Namespace(ModuleType):
    """The package, or a part of it that was imported by name."""

    def __init__(self, package: str, owner: str, link: Channel) -> None:
        super().__init__(f"{package}.{owner}" if owner else package)
        self.__path__: list[str] = []
        self.__all__: list[str] = []  # `import *` gives nothing away
        self.__dict__["__getattr__"] = lambda name: _look_up(package, owner, name, link)


class Finder:
    """Imports the package, and whatever the program takes for a part of it."""

    def __init__(self, package: str, send: Send) -> None:
        self.package = package
        self._link = Channel(package, send)

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        root, _, _ = name.partition(".")
        return ModuleSpec(name, self, is_package=True) if root == self.package else None  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        _, _, owner = spec.name.partition(".")
        module = Namespace(self.package, owner, self._link)
        if not owner:
            setattr(module, self._link.array.__name__, self._link.array)
        return module

    def exec_module(self, module: ModuleType) -> None:
        pass

    def install(self) -> None:
        sys.meta_path.insert(0, self)

    def remove(self) -> None:
        sys.meta_path.remove(self)
        for name in [n for n in sys.modules if n.partition(".")[0] == self.package]:
            del sys.modules[name]

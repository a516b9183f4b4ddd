"""Which functions of NumPy a file from elsewhere may name: public ones that compute, and no others.

A dotted name can lead anywhere: `os.system` is an attribute of NumPy's modules, `fromfile` reads files of
this machine. Who writes settings or Python may name what they like; a file may not.
"""

import inspect
from types import ModuleType

import numpy

_NAMESPACES = ("linalg", "fft")
_CLASSES = ("vectorize", "ndenumerate", "ndindex", "broadcast", "poly1d", "nditer")
#: Public ones that read or write files, change how the process computes, or tell about it.
_REFUSED = frozenset({
    "fromfile", "load", "loadtxt", "genfromtxt", "fromregex", "save", "savez", "savez_compressed", "savetxt",
    "memmap", "from_dlpack", "get_include", "show_config", "show_runtime", "info", "test", "set_printoptions",
    "get_printoptions", "printoptions", "seterr", "geterr", "seterrcall", "geterrcall", "errstate",
    "setbufsize", "getbufsize", "bench", "source",
})  # fmt: skip


def offered(name: str) -> bool:
    """Whether NumPy has such a function, by its dotted name, and a file may name it."""
    owner: ModuleType = numpy
    namespace, _, last = name.rpartition(".")
    if namespace:
        if namespace not in _NAMESPACES:
            return False
        owner = getattr(numpy, namespace)
    if last in _REFUSED or last not in getattr(owner, "__all__", ()):
        return False
    found = getattr(owner, last, None)
    return inspect.isroutine(found) or isinstance(found, numpy.ufunc) or (not namespace and last in _CLASSES)

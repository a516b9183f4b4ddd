"""What the published evaluation decides from the text of a program: is the package used, is NumPy imported?

`uses_package` is the published check with all its weaknesses. It passes a constant return beside any call, a
call that is never executed, two calls of the constructor and plain Python, `zwc._np.mean(x)`,
`x._data.mean()` after one other call, a function of the package that does not exist, the constructor under
another name. It rejects a package that is called in a helper only, `m = zwc; m.f()`, and `from zwc.rfx
import f`.

`imports_numpy` sees import statements; not `__import__("numpy")`, `importlib`, `exec` or `zwc._np`.

Source: SE-Bench (arXiv 2602.04811), the repository's validator.
"""

import ast

PACKAGE = "zwc"


def uses_package(source: str, function: str, constructor: str) -> str:
    """Why a program does not use the package; empty when it does.

    Args:
        function: the name of the function whose code counts: what it calls, and that it returns something.
        constructor: the package's name for `array`; one call of it and nothing else is no use.
    """
    try:
        tree = ast.parse(source)
        names = _imported(tree)
        found = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name == function]
        if not found:
            return f"no function {function!r}"
        calls = [dotted for n in ast.walk(found[0]) if (dotted := _called(n, names)) is not None]
        returns = any(isinstance(n, ast.Return) and n.value is not None for n in ast.walk(found[0]))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return f"{type(error).__name__}: {error}"
    if not names:
        return f"no import of {PACKAGE}"
    if not calls:
        return f"no call of {PACKAGE} in {function!r}"
    if not returns:
        return f"{function!r} returns nothing"
    if len(calls) == 1 and constructor in calls[0].lower():
        return f"{function!r} calls the constructor {constructor!r} only"
    return ""


def _imported(tree: ast.Module) -> set[str]:
    """Names that the package, or something in it, is imported as: not those of its submodules."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {a.asname or a.name for a in node.names if a.name == PACKAGE}
        elif isinstance(node, ast.ImportFrom) and node.module == PACKAGE:
            names |= {a.asname or a.name for a in node.names}
    return names


def _called(node: ast.AST, names: set[str]) -> str | None:
    """The dotted name that a node calls, if it begins with one of the names."""
    if not isinstance(node, ast.Call):
        return None
    parts = []
    function = node.func
    while isinstance(function, ast.Attribute):
        parts.append(function.attr)
        function = function.value
    if not isinstance(function, ast.Name) or function.id not in names:
        return None
    return ".".join([function.id, *reversed(parts)])


def imports_numpy(source: str) -> bool:
    """Whether a program that can be parsed imports NumPy, anywhere in it.

    Raises:
        SyntaxError, ValueError: it cannot be parsed.
    """
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names) if any(_of_numpy(a.name) for a in names):
                return True
            case ast.ImportFrom(module=str(module)) if _of_numpy(module):
                return True
    return False


def _of_numpy(module: str) -> bool:
    return module == "numpy" or module.startswith("numpy.")

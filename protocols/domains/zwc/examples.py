"""Examples of the real docstrings rewritten for the package and run, so that what they print is true.

A block of examples that needs something the package does not have (an array method, another library, a
function that is not offered) is cut at that statement. Does not cover: random numbers and plots.
"""

import ast
import contextlib
import doctest
import io
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from protocols.domains.zwc.scrub import Scrubber

_TYPES = """int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64 complex64 complex128"""
#: Constants of NumPy that the package does not have, as plain Python.
_CONSTANTS: dict[str, str] = {
    "nan": "float('nan')",
    "inf": "float('inf')",
    "pi": "3.141592653589793",
    "e": "2.718281828459045",
    "newaxis": "None",
    "bool": "bool",
    "bool_": "bool",
    **{name: repr(name) for name in _TYPES.split()},
}
_OUTPUT = 600  # characters; longer results teach nothing
_SOURCE = 300


class Unusable(Exception):
    """The statement needs something that the package does not have."""


class Rewriter(ast.NodeTransformer):
    """Rewrites code that uses the real module into code that uses the package."""

    def __init__(self, scrub: Scrubber, module: str) -> None:
        self.scrub = scrub
        self.module = module
        self.aliases = {"np": "", module: ""} if module == "numpy" else {module: ""}

    def rewrite(self, source: str) -> list[str]:
        """The statements, rewritten; imports of the real module are left out.

        Raises:
            Unusable: as its name says.
        """
        try:
            tree = ast.parse(source)
        except SyntaxError as error:
            raise Unusable from error
        done = []
        for statement in tree.body:
            if isinstance(statement, ast.Import | ast.ImportFrom):
                self._import(statement)
                continue
            done.append(ast.unparse(ast.fix_missing_locations(self.visit(statement))))
        return done

    def _import(self, statement: ast.Import | ast.ImportFrom) -> None:
        if isinstance(statement, ast.Import):
            for name in statement.names:
                root, _, rest = name.name.partition(".")
                if root != self.module:
                    raise Unusable(name.name)
                self.aliases[name.asname or root] = rest if name.asname else ""
            return
        root, _, rest = (statement.module or "").partition(".")
        if root != self.module:
            raise Unusable(statement.module)
        for name in statement.names:
            self.aliases[name.asname or name.name] = ".".join(filter(None, [rest, name.name]))

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        dotted = self._dotted(node)
        if dotted is None:
            return self.generic_visit(node)
        return self._named(dotted)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if node.id in self.aliases and isinstance(node.ctx, ast.Load):
            dotted = self.aliases[node.id]
            if not dotted:
                raise Unusable(node.id)
            return self._named(dotted)
        if isinstance(node.ctx, ast.Load) and self.module != "numpy" and node.id in self.scrub.public:
            return self._named(node.id)
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id in {*self.scrub.public, "id", "hash", "help"}:
            raise Unusable(node.func.id)  # Python's own function of an original name, or never the same
        return node

    def _dotted(self, node: ast.AST) -> str | None:
        """`linalg.inv` for np.linalg.inv; None when it does not begin with an alias of the module."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name) or node.id not in self.aliases:
            return None
        return ".".join(filter(None, [self.aliases[node.id], *reversed(parts)]))

    def _named(self, dotted: str) -> ast.AST:
        public = self.scrub.public.get(dotted)
        if public is None and self.module == "numpy":
            public = _CONSTANTS.get(dotted)
        if public is None:
            raise Unusable(dotted)
        return ast.parse(public, mode="eval").body


def run(statement: str, names: dict[str, Any]) -> str:
    """What the interactive interpreter would print for this statement.

    Raises:
        Exception: whatever the statement raises.
    """
    printed = io.StringIO()
    tree = ast.parse(statement)
    with contextlib.redirect_stdout(printed):
        if len(tree.body) == 1 and isinstance(tree.body[0], ast.Expr):
            value = eval(compile(ast.Expression(tree.body[0].value), "<example>", "eval"), names)
            if value is not None:
                print(repr(value))
        else:
            exec(compile(tree, "<example>", "exec"), names)
    return printed.getvalue()


def as_prompt(statement: str, output: str) -> str:
    """The statement behind prompts, and its output as doctest wants it."""
    first, *rest = statement.splitlines()
    lines = [f">>> {first}", *(f"... {line}" for line in rest)]
    if rest:
        lines.append("...")
    return "\n".join([*lines, *(line or "<BLANKLINE>" for line in output.splitlines())])


def usable(text: str, scrub: Scrubber, package: ModuleType, module: str) -> Iterator[tuple[str, str]]:
    """Blocks of a docstring's examples as (prose before it, examples with their true output)."""
    rewriter = Rewriter(scrub, module)
    names: dict[str, Any] = {package.__name__: package}
    words, block = "", []
    try:
        parsed = doctest.DocTestParser().parse(text)
    except ValueError:
        return
    for part in [*parsed, "\n\n"]:
        if isinstance(part, doctest.Example):
            block.append(part)
        if not part or isinstance(part, doctest.Example):  # examples in a row have "" between them
            continue
        if block:
            shown = _block(block, rewriter, names)
            if shown:
                yield words.strip("\n"), shown
            words, block = "", []
        words += part


def words(text: str) -> list[str]:
    """What stands between a docstring's examples."""
    try:
        return [
            part for part in doctest.DocTestParser().parse(text) if isinstance(part, str) and part.strip()
        ]
    except ValueError:
        return []


def _block(block: list[doctest.Example], rewriter: Rewriter, names: dict[str, Any]) -> str:
    """The statements up to the first unusable one; empty, and `names` untouched, if none of them prints."""
    done: list[tuple[str, str]] = []
    before = dict(names)
    useful = 0
    kept = dict(names)
    for example in block:
        if doctest.SKIP in example.options or "..." in example.want.splitlines():
            break
        try:
            for statement in rewriter.rewrite(example.source):
                output = run(statement, names)
                if len(output) > _OUTPUT or len(statement) > _SOURCE or " at 0x" in output:
                    raise Unusable
                done.append((statement, output))
                if output:
                    useful, kept = len(done), dict(names)
        except Exception:  # whatever fails here cannot be shown; the block ends before it
            break
    else:
        useful, kept = (len(done), dict(names)) if useful else (0, before)
    names.clear()
    names.update(kept if useful else before)
    return "\n".join(as_prompt(*d) for d in done[:useful])

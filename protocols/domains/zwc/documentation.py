"""Documentation of an obfuscated library, rewritten deterministically from the real docstrings.

`brief`: the call, one sentence, one example; short enough for a small model's prompt. `full`: the whole
docstring without original names. Every example was run against the package, and what it prints is what the
package printed; `prove` runs them all again from the finished text. Where no example of the real docstring
can be used, the sample call of `functions.EXAMPLES` stands in.

Does not cover: translating what the library does into other words. Prose stays the library's own.
"""

import ast
import builtins
import doctest
import importlib
import inspect
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from types import ModuleType
from typing import Literal

from protocols.domains.zwc import docstrings, examples
from protocols.domains.zwc.functions import EXAMPLES
from protocols.domains.zwc.link import open_package
from protocols.domains.zwc.obfuscate import Library
from protocols.domains.zwc.scrub import Scrubber
from protocols.domains.zwc.service import Service, resolve
from protocols.domains.zwc.signatures import parameters, shown

Length = Literal["brief", "full"]

_TECHNICAL = """
out casting order subok like device where dtype copy keepdims initial ddof mean correction method kind stable
signature extobj overwrite_input axes interpolation sorter period hermitian rcond equal_nan return_index
return_inverse return_counts sorted
"""
#: Optional parameters that brief signatures leave out: storage and special cases.
_LEFT_OUT = frozenset(_TECHNICAL.split())
#: Sample calls of functions that have no example of their own.
_SAMPLES = {"array": "[1, 2, 3]", "asarray": "[1, 2, 3]"}
#: Arguments to try on functions of modules that only compute.
_HARMLESS = ("math", "cmath", "statistics")
_TRIED = ["[1.0, 2.0, 6.0]", "0.5", "2.0", "6, 4", "6", "[1.0, 2.0, 6.0], [2.0, 3.0, 9.0]", "2.0, 3, 4.0"]
_LONGEST = 200  # characters of a brief example
_ELEMENTS = 20_000  # arrays in examples are for reading


@dataclass(frozen=True)
class Proof:
    """Examples of all documentation, run from its text against the package."""

    documents: int
    ran: int
    matched: int
    failures: tuple[str, ...] = ()


def document(library: Library, length: Length = "brief") -> dict[str, str]:
    """Documentation by obfuscated dotted name, in the library's order."""
    return dict(_document(library, length))


@lru_cache(maxsize=8)
def _document(library: Library, length: Length) -> tuple[tuple[str, str], ...]:
    write = _Writer(library)
    make = write.brief if length == "brief" else write.full
    with _quiet():
        return tuple((public, make(original)) for original, public in library.entries.items())


def prove(library: Library) -> Proof:
    """Run every example of both lengths, as its text stands, against the package."""
    package = open_package(library)
    parser = doctest.DocTestParser()
    ran = matched = documents = 0
    failures = []
    for length in ("brief", "full"):
        for public, text in document(library, length).items():
            documents += 1
            test = parser.get_doctest(text, {library.package: package}, public, None, None)
            report: list[str] = []
            runner = doctest.DocTestRunner(verbose=False)
            with _quiet():
                result = runner.run(test, out=report.append, clear_globs=True)
            ran += result.attempted
            matched += result.attempted - result.failed
            if result.failed:
                failures.append(f"{length} {public}: {''.join(report)[-400:]}")
    return Proof(documents, ran, matched, tuple(failures))


class _Writer:
    def __init__(self, library: Library) -> None:
        self.library = library
        self.root = importlib.import_module(library.module)
        others = [n for n, value in vars(self.root).items() if _is_other(n, value)]
        self.scrub = Scrubber(library.package, library.module, library.entries, others)
        service = Service(library.blob, max_elements=_ELEMENTS)
        self.package: ModuleType = open_package(library, service)

    def brief(self, original: str) -> str:
        function = resolve(self.root, original)
        doc = docstrings.parse(inspect.getdoc(function) or "")
        listed = parameters(function)
        sentence = docstrings.summary_sentence(doc, self.scrub, [p[0] for p in listed])
        head = self._name(original) + shown(listed, _LEFT_OUT)
        sample = self._sample(original) or self._short(doc, original)
        return "\n".join(filter(None, [head, sentence, sample]))

    def full(self, original: str) -> str:
        function = resolve(self.root, original)
        doc = docstrings.parse(inspect.getdoc(function) or "")
        listed = parameters(function)
        keep = [p[0] for p in listed]
        parts = [
            self._name(original) + shown(listed),
            docstrings.prose(doc.summary, self.scrub, keep),
            docstrings.prose(doc.extended, self.scrub, keep),
        ]
        for title, body in docstrings.rewritten_sections(doc, self.scrub, keep).items():
            parts.append(f"{title}\n{'-' * len(title)}\n{body}")
        blocks = []
        for words, code in examples.usable(doc.examples, self.scrub, self.package, self.library.module):
            words = docstrings.prose(words, self.scrub, keep)
            blocks += [block for block in (words, code) if block]
        if not any(self._name(original) in block for block in blocks if block.startswith(">>>")):
            blocks.append(self._sample(original))
        if any(blocks):
            parts.append("Examples\n--------\n" + "\n\n".join(filter(None, blocks)))
        return "\n\n".join(part for part in parts if part)

    def _name(self, original: str) -> str:
        return f"{self.library.package}.{self.library.entries[original]}"

    def _sample(self, original: str) -> str:
        """A sample call with what it gives; empty if there is none."""
        if self.library.module == "numpy":
            candidates = [samples[original]] if original in (samples := EXAMPLES | _SAMPLES) else []
        else:
            candidates = _TRIED if self.library.module in _HARMLESS else []
        names = [p[0] for p in parameters(resolve(self.root, original))]
        for arguments in candidates:
            given, call = _with_variables(self._name(original), arguments, names)
            known = {self.library.package: self.package, **{n: ast.literal_eval(v) for n, v in given.items()}}
            try:
                output = examples.run(call, known)
            except (TypeError, ValueError):  # arguments of another kind
                continue
            if 0 < len(output) <= _LONGEST:
                lines = [f">>> {name} = {value}" for name, value in given.items()]
                return "\n".join([*lines, examples.as_prompt(call, output)])
        return ""

    def _short(self, doc: docstrings.Docstring, original: str) -> str:
        """The beginning of the docstring's usable examples up to the first output, if it is short."""
        for _, code in examples.usable(doc.examples, self.scrub, self.package, self.library.module):
            taken: list[str] = []
            for example in re.split(r"\n(?=>>> )", code):
                taken.append(example)
                if not example.rpartition("\n")[2].startswith((">>> ", "...")):
                    break
            text = "\n".join(taken)
            return text if len(text) <= _LONGEST and self._name(original) in text else ""
        return ""


def _with_variables(function: str, arguments: str, names: list[str]) -> tuple[dict[str, str], str]:
    """A sample call on variables: small models copy literal lists out of an example, but not names.

    Returns:
        the literal lists among the positional arguments by parameter name, and the call.
    """
    call = ast.parse(f"f({arguments})", mode="eval").body
    assert isinstance(call, ast.Call)
    given: dict[str, str] = {}
    for place, argument in enumerate(call.args):
        name = names[place].lstrip("*") if place < len(names) else ""
        literal = isinstance(argument, ast.List | ast.Tuple) and all(
            isinstance(n, ast.List | ast.Tuple | ast.Constant | ast.UnaryOp | ast.USub | ast.Load)
            for n in ast.walk(argument)
        )
        if literal and name.isidentifier() and name not in given:
            given[name] = ast.unparse(argument)
            call.args[place] = ast.Name(id=name)
    return given, f"{function}({', '.join(ast.unparse(a) for a in [*call.args, *call.keywords])})"


def _is_other(name: str, value: object) -> bool:
    """A function that documentation must not speak of where the package does not have it."""
    return callable(value) and not isinstance(value, type) and not hasattr(builtins, name) and name[0] != "_"


@contextmanager
def _quiet() -> Iterator[None]:
    """Examples may divide by zero on purpose."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield

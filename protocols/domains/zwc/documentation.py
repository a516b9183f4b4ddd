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
import itertools
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from types import ModuleType
from typing import Any, Literal

from protocols.domains.zwc import docstrings, examples
from protocols.domains.zwc.functions import EXAMPLES, sample
from protocols.domains.zwc.link import open_package
from protocols.domains.zwc.obfuscate import Library
from protocols.domains.zwc.scrub import Scrubber
from protocols.domains.zwc.service import Service, resolve
from protocols.domains.zwc.signatures import parameters, shown

Length = Literal["brief", "full"]

_TECHNICAL = """
out casting order subok like device where dtype copy keepdims initial ddof mean correction method kind stable
signature extobj overwrite_input axes interpolation sorter period hermitian rcond equal_nan return_index
return_inverse return_counts sorted max_line_width precision suppress_small prefix suffix formatter threshold
edgeitems floatmode legacy doc excluded cache
"""
#: Optional parameters that brief signatures leave out: storage and special cases.
_LEFT_OUT = frozenset(_TECHNICAL.split())
#: Functions whose docstring says no more than which one to use instead.
_SUCCESSORS = {"trapz": "trapezoid"}
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


def told(library: Library) -> list[str]:
    """What the documentation says in words, of every function: both lengths without examples.

    No function is called for it, so it is the same on every processor, which computed examples are not.
    """
    write = _Writer(library)
    return [write.words(original) for original in library.entries]


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
        function = self._function(original)
        doc = docstrings.parse(inspect.getdoc(function) or "")
        listed = parameters(function)
        sentence = docstrings.summary_sentence(doc, self.scrub, [p[0] for p in listed])
        head = self._name(original) + shown(listed, _LEFT_OUT)
        example = self._sample(original) or self._short(doc, original)
        return "\n".join(filter(None, [head, sentence, example]))

    def words(self, original: str) -> str:
        function = self._function(original)
        doc = docstrings.parse(inspect.getdoc(function) or "")
        keep = [p[0] for p in parameters(function)]
        words = [docstrings.prose(text, self.scrub, keep) for text in examples.words(doc.examples)]
        sentence = docstrings.summary_sentence(doc, self.scrub, keep)
        return "\n\n".join([sentence, *self._said(doc, keep), *words])

    def _said(self, doc: docstrings.Docstring, keep: list[str]) -> list[str]:
        """What stands before the examples."""
        sections = docstrings.rewritten_sections(doc, self.scrub, keep)
        return [
            docstrings.prose(doc.summary, self.scrub, keep),
            docstrings.prose(doc.extended, self.scrub, keep),
            *(f"{title}\n{'-' * len(title)}\n{body}" for title, body in sections.items()),
        ]

    def full(self, original: str) -> str:
        function = self._function(original)
        doc = docstrings.parse(inspect.getdoc(function) or "")
        listed = parameters(function)
        keep = [p[0] for p in listed]
        parts = [self._name(original) + shown(listed), *self._said(doc, keep)]
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
        names = _positional(parameters(self._function(original)))
        for statements in self._candidates(original):
            given, call = _with_variables(statements[-1], names) if len(statements) == 1 else ({}, "")
            lines = [*(f"{n} = {value}" for n, value in given.items()), call] if call else statements
            known: dict[str, Any] = {self.library.package: self.package}
            try:
                shown = [(line, examples.run(line, known)) for line in lines]
            except (TypeError, ValueError):  # arguments of another kind
                continue
            if 0 < len(shown[-1][1]) <= _LONGEST:
                return "\n".join(examples.as_prompt(*s) for s in shown)
        return ""

    def _candidates(self, original: str) -> list[list[str]]:
        """Samples to try, as statements."""
        if self.library.module != "numpy":
            tried = _TRIED if self.library.module in _HARMLESS else []
            return [[f"{self._name(original)}({arguments})"] for arguments in tried]
        try:
            return [sample(original, self._name)] if original in EXAMPLES else []
        except KeyError:  # a function that helps, which the package does not offer
            return []

    def _function(self, original: str) -> Callable[..., Any]:
        """The real function; where its docstring only names a successor, that one."""
        successor = _SUCCESSORS.get(original) if self.library.module == "numpy" else None
        return resolve(self.root, successor or original)

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


def _positional(listed: list[list[Any]]) -> list[str]:
    """Names of the parameters that a value without a name can be for."""
    return [name for name, kind, _ in itertools.takewhile(lambda p: p[1] <= 1, listed)]


def _with_variables(sample_call: str, names: list[str]) -> tuple[dict[str, str], str]:
    """A sample call on variables: small models copy literal lists out of an example, but not names.

    Returns:
        the literal lists among the positional arguments by parameter name, and the call.
    """
    call = ast.parse(sample_call, mode="eval").body
    if not isinstance(call, ast.Call) or isinstance(call.func, ast.Call):
        return {}, sample_call
    given: dict[str, str] = {}
    for place, argument in enumerate(call.args):
        name = names[place] if place < len(names) else ""
        literal = isinstance(argument, ast.List | ast.Tuple) and all(
            isinstance(n, ast.List | ast.Tuple | ast.Constant | ast.UnaryOp | ast.USub | ast.Load)
            for n in ast.walk(argument)
        )
        if literal and name.isidentifier() and name not in given:
            given[name] = ast.unparse(argument)
            call.args[place] = ast.Name(id=name)
    return given, ast.unparse(call)


def _is_other(name: str, value: object) -> bool:
    """A function that documentation must not speak of where the package does not have it."""
    return callable(value) and not isinstance(value, type) and not hasattr(builtins, name) and name[0] != "_"


@contextmanager
def _quiet() -> Iterator[None]:
    """Examples may divide by zero on purpose."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield

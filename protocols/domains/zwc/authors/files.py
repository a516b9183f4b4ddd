"""The authors' files as they are: names and documentation from api_doc.jsonl, tasks from rows.

    api_doc.jsonl   {"original_name", "curr_name", "func_mapping", "rewritten_doc", ...}    one function a
    line rows            {"query", "function_name", "example", "test_cases", "right_exe_result",
                     "selected_functions", "is_valid", "example_output"}                    one task a line

A row's id is its file's stem and its line: `single_test:17`. Nothing is dropped in silence: whatever is
wrong is an `Issue` that names file, line and key, and says whether the line was skipped or only marked.

Does not cover: whether a row's reference reproduces its truth (`experiments.rows`).
"""

import ast
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec
import numpy

from protocols import jsonlines
from protocols.domains.zwc.authors import truth
from protocols.domains.zwc.obfuscate import Library, obfuscate
from protocols.domains.zwc.offered import offered
from protocols.domains.zwc.service import resolve
from protocols.errors import SettingError
from protocols.records import Record

PACKAGE = "zwc"
#: What can be wrong with a line.
ISSUES = {
    "malformed": "a field is missing or not what it should be; skipped",
    "collision": "another function has the same obfuscated name; skipped",
    "missing_function": "the installed NumPy has no such function; it cannot be called",
    "not_offered": "a name that is no public function that computes; it is left out",
    "duplicate": "the same task as an earlier row",
    "unknown_function": "a selected function is not in the documentation: the open book lacks it",
    "not_valid": "the row says of itself that it is not valid",
    "counts": "there are more or fewer true outputs than test cases",
    "example": "there is no example of an input and its output; the prompt shows none",
    "unreadable_truth": "a true output is no value that the strict grader can read",
    "reference": "its own reference program does not reproduce its truth",
}


class Issue(Record):
    """What is wrong with one line of a file."""

    file: str
    line: int  # from 1
    key: str  # the field, or "" for the line as a whole
    kind: str  # one of ISSUES
    problem: str
    skipped: bool = False  # otherwise the line is used, and marked

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" + (f": {self.key}" if self.key else "")
        return f"{where}: {self.problem}; {'passed over' if self.skipped else 'marked ' + self.kind}"


class Documentation(Record):
    """Names of the package and what is said about them.

    `entries` maps original dotted names to obfuscated ones, both without their package
    (`"linalg.inv" -> "rfx.quvohe"`); `texts` holds the documentation by obfuscated name.
    """

    entries: Mapping[str, str]
    texts: Mapping[str, str]
    missing: frozenset[str] = frozenset()  # original names that the installed NumPy lacks
    issues: tuple[Issue, ...] = ()

    @property
    def array(self) -> str:
        """The obfuscated name of `array`, without its package."""
        return self.entries.get("array", "array")

    def named(self, original: str) -> list[str]:
        """Obfuscated names of an original one, as rows give it: six are functions of both namespaces."""
        bare = original.removeprefix("numpy.").removeprefix("np.")
        both = (bare, f"linalg.{bare}")
        return [self.entries[name] for name in both if name in self.entries]

    def library(self) -> Library:
        """The traced library of the same names, as far as the installed NumPy has the functions."""
        mapping = {o: p for o, p in self.entries.items() if o not in self.missing}
        return obfuscate(mapping=mapping, package=PACKAGE)


class Row(Record):
    """One task of the authors' files."""

    id: str
    query: str
    stub: str  # `def name(parameters):`, as it is
    name: str
    parameters: tuple[str, ...]
    example: str  # one case as text, `{input: output}`
    cases: tuple[tuple[str, str], ...]  # inputs as written in a call; the output that its writer expected
    truth: tuple[str, ...]  # printed results
    functions: tuple[str, ...]  # obfuscated names of the selected ones
    reference: str = ""  # NumPy program
    marks: tuple[str, ...] = ()  # kinds of its issues


class Rows(Record):
    rows: tuple[Row, ...]
    issues: tuple[Issue, ...]

    def counts(self) -> dict[str, int]:
        """How many rows are used and skipped, and how many issues there are of each kind."""
        skipped = len({(i.file, i.line) for i in self.issues if i.skipped})
        return {"rows": len(self.rows), "skipped": skipped, **Counter(i.kind for i in self.issues)}


def read_documentation(path: Path) -> Documentation:
    """Names and documentation of an api_doc.jsonl.

    Whether a function is numpy's or numpy.linalg's is what its own `func_mapping` says; `np.linalg.inv` is
    `linalg.inv` here.

    Raises:
        SettingError: the file cannot be read, or no function is in it.
    """
    issues: list[Issue] = []
    entries: dict[str, str] = {}
    texts: dict[str, str] = {}
    missing = set()

    def note(number: int, key: str, kind: str, problem: str, skipped: bool = True) -> None:
        issue = Issue(file=str(path), line=number, key=key, kind=kind, problem=problem, skipped=skipped)
        issues.append(issue)

    for number, data in jsonlines.objects(path, lambda n, problem: note(n, "", "malformed", problem)):
        try:
            original, public = _names(data)
            text = _text(data, "rewritten_doc")
        except _Wrong as wrong:
            note(number, wrong.key, "malformed", str(wrong))
            continue
        if original in entries:
            note(number, "original_name", "duplicate", f"{original!r} was there before")
        elif public in texts:
            note(number, "curr_name", "collision", f"another function is named {public!r}, too")
        elif _exists(original) and not offered(original):
            note(number, "original_name", "not_offered", f"{original!r} may not be named by a file")
        else:
            if not _exists(original):
                missing.add(original)
                problem = f"NumPy {numpy.__version__} has no {original!r}"
                note(number, "original_name", "missing_function", problem, skipped=False)
            entries[original], texts[public] = public, text
    if not entries:
        raise SettingError(f"{path}: no function in it; give the authors' api_doc.jsonl")
    return Documentation(
        entries=MappingProxyType(entries),
        texts=MappingProxyType(texts),
        missing=frozenset(missing),
        issues=tuple(issues),
    )


def _names(data: dict[str, Any]) -> tuple[str, str]:
    """Original and obfuscated name with the namespace that the mapping gives them."""
    original, public = _text(data, "original_name"), _text(data, "curr_name")
    try:
        mapping = json.loads(_text(data, "func_mapping"))
        places = [key for key, value in mapping.items() if value.rpartition(".")[2] == public]
    except (ValueError, AttributeError) as error:
        raise _Wrong("func_mapping", f"no JSON object of names ({error})") from None
    if not public.isidentifier():
        raise _Wrong("curr_name", f"{public!r} is no identifier")
    for place in places:
        if place == f"np.linalg.{original}":
            return f"linalg.{original}", mapping[place].removeprefix(f"{PACKAGE}.")
        if place == f"np.{original}":
            return original, public
    raise _Wrong("func_mapping", f"it does not say what {public!r} is")


def _exists(original: str) -> bool:
    try:
        return callable(resolve(numpy, original))
    except AttributeError:
        return False


def read_rows(path: Path, documentation: Documentation) -> Rows:
    """The rows of a file in their order.

    Raises:
        SettingError: the file cannot be read, or there is no usable row in it.
    """
    issues: list[Issue] = []
    rows: list[Row] = []
    seen: dict[tuple[Any, ...], int] = {}

    def note(number: int, key: str, kind: str, problem: str, skipped: bool = False) -> None:
        issue = Issue(file=str(path), line=number, key=key, kind=kind, problem=problem, skipped=skipped)
        issues.append(issue)

    for number, data in jsonlines.objects(path, lambda n, problem: note(n, "", "malformed", problem, True)):
        try:
            row = _row(f"{path.stem}:{number}", data)
        except _Wrong as wrong:
            note(number, wrong.key, "malformed", str(wrong), skipped=True)
            continue
        before = len(issues)
        same = (row.query, row.stub, row.cases)
        if seen.setdefault(same, number) != number:
            note(number, "query", "duplicate", f"the same task as line {seen[same]}")
        functions, unknown = _selected(data["selected_functions"], documentation)
        if unknown:
            problem = f"{', '.join(map(repr, unknown))} not in the documentation"
            note(number, "selected_functions", "unknown_function", problem)
        if data.get("is_valid", True) is not True:
            note(number, "is_valid", "not_valid", f"it is {data['is_valid']!r:.40}")
        if row.example == "{}":
            note(number, "example", "example", "every output of it is null, or there is none")
        if len(row.truth) != len(row.cases):
            problem = f"{len(row.truth)} outputs for {len(row.cases)} cases"
            note(number, "right_exe_result", "counts", problem)
        unreadable = [i for i, text in enumerate(row.truth) if not truth.readable(text)]
        if unreadable:
            problem = f"output {unreadable[0] + 1} is no value: {row.truth[unreadable[0]]!r:.60}"
            note(number, "right_exe_result", "unreadable_truth", problem)
        marks = tuple(dict.fromkeys(i.kind for i in issues[before:]))
        rows.append(msgspec.structs.replace(row, functions=functions, marks=marks))
    if not rows:
        raise SettingError(f"{path}: no usable row in it; give a file of the authors' rows")
    return Rows(rows=tuple(rows), issues=tuple(issues))


def _row(id: str, data: dict[str, Any]) -> Row:
    stub = _text(data, "function_name")
    name, parameters = _signature(stub)
    cases = data.get("test_cases")
    if not isinstance(cases, list) or not cases:
        raise _Wrong("test_cases", "no list of cases")
    for case in cases:
        if not isinstance(case, dict) or not isinstance(case.get("input"), str):
            raise _Wrong("test_cases", f"a case without a text as input: {case!r:.60}")
    example = data.get("example")
    if not isinstance(example, dict):
        raise _Wrong("example", "no object of one input and its output")
    chosen = data.get("selected_functions")
    if not isinstance(chosen, list) or not all(isinstance(name, str) for name in chosen):
        raise _Wrong("selected_functions", "no list of names")
    return Row(
        id=id,
        query=_text(data, "query"),
        stub=stub,
        name=name,
        parameters=parameters,
        # A table, as `datasets` makes one of the rows, has all rows' inputs as columns, filled with null.
        example=str({k: str(v) for k, v in islice(_filled(example), 1)}),
        cases=tuple((case["input"], str(case.get("output", ""))) for case in cases),
        truth=tuple(_text(data, "right_exe_result").split("#")),
        functions=(),
        reference=_reference(data.get("example_output")),
    )


def _filled(example: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    return ((given, output) for given, output in example.items() if output is not None)


def _signature(stub: str) -> tuple[str, tuple[str, ...]]:
    for source in (stub, f"{stub.rstrip()}\n    pass", f"{stub.rstrip().rstrip(':')}:\n    pass"):
        try:
            tree = ast.parse(source)
        except (SyntaxError, ValueError, RecursionError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                return node.name, tuple(a.arg for a in (*node.args.posonlyargs, *node.args.args))
    raise _Wrong("function_name", f"no `def name(parameters):` but {stub!r:.60}")


def _reference(value: Any) -> str:
    first = value[0] if isinstance(value, list) and value else value
    return first if isinstance(first, str) else ""


def _selected(names: Sequence[str], documentation: Documentation) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Obfuscated names of the selected functions, and those that nobody knows; each once."""
    functions: dict[str, None] = {}
    unknown: dict[str, None] = {}
    for name in names:
        found = documentation.named(name)
        functions.update(dict.fromkeys(found))
        if not found:
            unknown[name] = None
    return tuple(functions), tuple(unknown)


class _Wrong(Exception):
    def __init__(self, key: str, problem: str) -> None:
        super().__init__(problem)
        self.key = key


def _text(data: dict[str, Any], key: str) -> str:
    value = data.get(key)
    if not isinstance(value, str) or not value.strip():
        raise _Wrong(key, "no such field" if key not in data else f"no text but {value!r:.60}")
    return value

"""The authors' rows for the strict grader: the function by the stub's name, the traced library, plain values.

Inputs stay the text that they are and are evaluated in the program, as in the published evaluation: with the
package's constructor for `np.array`, which counts as no use of the library. The truth is read from what was
printed (`truth`), and compared by the strict rules with the tolerance of NumPy's printing.

Only as many cases count as there are true outputs. A result that is a string is compared with the text
itself.
"""

from collections.abc import Sequence
from typing import Any

from protocols.domains.zwc import grading
from protocols.domains.zwc.authors import script, truth
from protocols.domains.zwc.authors.files import PACKAGE, Row
from protocols.domains.zwc.functions import CONSTRUCTORS
from protocols.domains.zwc.obfuscate import Library
from protocols.fences import last_code_block
from protocols.records import CaseResult, Outcome, Program, Verdict

_ENTRY = "_case"


def check(row: Row, response: str, library: Library) -> Program | Verdict:
    """What to run for a response; or at once the verdict."""
    code = last_code_block(response, row.name)
    if code is None:
        evidence = {"detail": "no fenced code"}
        return Verdict(attempt_id="", reward=0.0, category="malformed", evidence=evidence)
    array = f"{PACKAGE}.{library.entries.get('array', 'array')}"
    inputs = [script.for_package(text, array) for text, _ in row.cases[: len(row.truth)]]
    calls = [f"    if case == {i}:\n        return {row.name}({text})" for i, text in enumerate(inputs)]
    return Program(
        # The package is there whether the answer imports it or not.
        source="\n".join([code, f"import {PACKAGE}", f"def {_ENTRY}(case):", *calls, ""]),
        entry_point=_ENTRY,
        cases=tuple((i,) for i in range(len(inputs))),
        library=library.blob,
        library_name=PACKAGE,
        library_module=library.module,
        about=needed(row, library),
    )


def needed(row: Row, library: Library) -> tuple[str, ...]:
    """The functions that have to do the work: the row's own, as far as the library has them."""
    named = tuple(name for name in row.functions if name in library.originals)
    return tuple(n for n in named if n not in _constructors(library)) or named


def _constructors(library: Library) -> frozenset[str]:
    return frozenset(library.entries[name] for name in CONSTRUCTORS if name in library.entries)


def judge(row: Row, outcome: Outcome, library: Library, attempt_id: str = "") -> Verdict:
    """What an outcome means: without a reward where the truth cannot be read, or the sandbox failed."""
    texts = row.truth[: len(row.cases)]
    unreadable = [i for i, text in enumerate(texts) if not truth.readable(text)]
    if unreadable and outcome.status != "infra_error":
        evidence = {"case": unreadable[0], "expected": grading.shown(texts[unreadable[0]])}
        return Verdict(attempt_id=attempt_id, reward=None, category="unreferenced", evidence=evidence)
    return grading.judge(
        outcome,
        expected(texts, outcome.cases),
        _constructors(library).difference(needed(row, library)),
        truth.PRINTED_RELATIVE,
        truth.PRINTED_ABSOLUTE,
        attempt_id=attempt_id,
        arguments=[[text] for text, _ in row.cases],
        needed=needed(row, library),
    )


def expected(texts: Sequence[str], cases: Sequence[CaseResult]) -> list[Any]:
    """The truth of each case as a value; as the text it is where the result is a text, too."""
    results = [case.value for case in cases] + [None] * (len(texts) - len(cases))
    return [text.strip() if isinstance(v, str) else truth.read(text) for text, v in zip(texts, results)]

"""Verdicts as the published evaluation gives them: one code for a response, in this order.

    4  without zwc         no use of the package that `checks.uses_package` sees, no code, or a syntax error
    2  NumPy imported
    3  execution error     nothing was printed within the time limit
    0  wrong result        what was printed differs by `equality`, or there is too little of it
    1  right

Standard error and the exit status are ignored: a program that printed something and then failed is judged by
what it printed. Time begins with NumPy and the package loaded; the published 3 seconds include loading them.

Decided here, because the published evaluation says nothing: the sandbox's limits of memory and output make an
execution error, and a failure of the sandbox itself is no verdict.
"""

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from protocols.domains.zwc.authors import checks, equality, script
from protocols.domains.zwc.authors.files import PACKAGE, Documentation, Row
from protocols.domains.zwc.grading import shown
from protocols.records import Outcome, Program, Verdict

TIME_S = 3.0  # for one program, all its cases together
RIGHT, WRONG, NUMPY, FAILED, WITHOUT = 1, 0, 2, 3, 4
CODES = {
    RIGHT: "right",
    WRONG: "wrong_result",
    NUMPY: "numpy_imported",
    FAILED: "execution_error",
    WITHOUT: "without_zwc",
}
_CATEGORIES = {
    RIGHT: "correct",
    WRONG: "wrong_answer",
    NUMPY: "forbidden_import",
    FAILED: "runtime_error",
    WITHOUT: "no_library_call",
}
_WORK = (
    "numpy numpy.fft numpy.linalg numpy.ma numpy.polynomial numpy.random ast argparse bisect calendar cmath "
    "collections contextlib copy csv ctypes dataclasses datetime decimal difflib enum fractions functools gc "
    "glob hashlib heapq importlib importlib.util inspect io itertools json logging math numbers operator os "
    #: These can be imported, too; but a program starts no thread or process, and opens no socket or file.
    "textwrap time timeit traceback types typing unicodedata unittest uuid warnings weakref"
)
_IMPORT_ONLY = (
    "asyncio concurrent.futures concurrent.futures.process concurrent.futures.thread multiprocessing "
    "multiprocessing.popen_fork socket subprocess tempfile threading"
)
#: Loaded before a program: what the published sandbox offers and answers import. There are no files later.
WORKING = tuple(_WORK.split())
#: These can be imported, too; but a program starts no thread and no process and opens no socket and no file.
IMPORT_ONLY = tuple(_IMPORT_ONLY.split())
MODULES = (*WORKING, *IMPORT_ONLY)


def check(row: Row, response: str, documentation: Documentation) -> Program | Verdict:
    """What to run for a response; or at once the verdict."""
    array = f"{PACKAGE}.{documentation.array}"
    cases = [(script.for_package(inputs, array), output) for inputs, output in row.cases]
    source = script.script(script.last_block(response), cases)
    problem = checks.uses_package(source, script.first_function(source), documentation.array)
    if problem:
        return verdict(WITHOUT, {"detail": problem})
    if checks.imports_numpy(source):
        return verdict(NUMPY, {})
    return program(documentation.entries, source)


def program(entries: Mapping[str, str], source: str) -> Program:
    """A script as the main module of a program of the sandbox, with the package and NumPy loaded."""
    return Program(
        source=_runtime(),
        entry_point="run",
        cases=((dict(entries), source),),
        library_name="",
        modules=MODULES,
    )


@functools.cache
def _runtime() -> str:
    return Path(__file__).with_name("runtime.py").read_text(encoding="utf-8")


def judge(row: Row, outcome: Outcome, attempt_id: str = "") -> Verdict:
    """What the outcome of `program` means."""
    if outcome.status == "infra_error":
        return Verdict(
            attempt_id=attempt_id,
            reward=None,
            category="infra_error",
            evidence={"authors_code": None},
            infra_error=outcome.detail or "the sandbox gave no reason",
            seconds=outcome.seconds,
        )
    stdout, error = printed(outcome)
    evidence: dict[str, Any] = {"exception": error} if error else {}
    if not stdout:
        code, category = FAILED, "runtime_error" if outcome.status == "ok" else outcome.status
        evidence |= {"detail": outcome.detail or "it printed nothing"}
    else:
        found = script.outputs(stdout)
        code = RIGHT if equality.all_equal(found, row.truth) else WRONG
        category = _CATEGORIES[code]
        if code == WRONG:
            evidence |= _first_difference(found, row.truth)
    return verdict(code, evidence, category, attempt_id, outcome.seconds)


def printed(outcome: Outcome) -> tuple[str, str | None]:
    """What a script printed, and the exception that it ended in."""
    value = outcome.cases[0].value if outcome.status == "ok" and outcome.cases else None
    if not isinstance(value, dict) or not isinstance(value.get("stdout"), str):
        return "", outcome.cases[0].error if outcome.cases else None
    return value["stdout"], value.get("error")


def verdict(
    code: int, evidence: dict[str, Any], category: str = "", attempt_id: str = "", seconds: float = 0.0
) -> Verdict:
    return Verdict(
        attempt_id=attempt_id,
        reward=1.0 if code == RIGHT else 0.0,
        category=category or _CATEGORIES[code],
        evidence={"authors_code": code, **evidence},
        seconds=seconds,
    )


def _first_difference(found: list[str], truth: tuple[str, ...]) -> dict[str, Any]:
    for i, expected in enumerate(truth):
        if i >= len(found):
            return {"case": i, "detail": f"{len(found)} results for {len(truth)} outputs"}
        if not equality.equal(found[i], expected):
            return {"case": i, "expected": shown(expected), "got": shown(found[i])}
    return {}

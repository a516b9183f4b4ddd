"""From the proposer's text to a task: parsing, inputs for the hidden cases, and consensus.

A proposed task has no truth of its own. Its reference is what open-book attempts agree on, so it can be
wrong: that is the noise of self-play, measured where the named function itself gives a truth.
"""

import ast
import json
import random
import re
from collections.abc import Callable, Sequence
from typing import Any

from protocols.domain import Rejected
from protocols.domains.zwc.grading import shown
from protocols.domains.zwc.plain import pack
from protocols.records import Outcome

_SHAPE = re.compile(r"\s*Task:\s*(?P<statement>.*?)\s*\n\s*Input:\s*(?P<input>[^\n]+)", re.DOTALL)
#: Words in a statement: below, it says nothing; above, it rambles.
WORDS = (5, 60)
#: Numbers in an example input: enough to tell functions apart, few enough to write down.
NUMBERS = (2, 64)
CASES = 6


def parse(response: str) -> tuple[str, dict[str, Any]]:
    """The statement and the example input by parameter name, in order.

    Raises:
        Rejected: no_task, no_input, bad_input, too_short, too_long.
    """
    found = _SHAPE.match(response)
    if not found:
        raise Rejected("no_task" if "Input:" in response else "no_input", response[:80].replace("\n", " "))
    statement = " ".join(found["statement"].split())
    words = len(statement.split())
    if words < WORDS[0]:
        raise Rejected("too_short", f"{words} words")
    if words > WORDS[1]:
        raise Rejected("too_long", f"{words} words")
    return statement, _example(found["input"])


def _example(text: str) -> dict[str, Any]:
    """`a = [1, 2], k = 3` as a dict. A call's keyword list is exactly this grammar."""
    try:
        call = ast.parse(f"f({text.strip().rstrip('.')})", mode="eval").body
        assert isinstance(call, ast.Call)
        values = {k.arg: ast.literal_eval(k.value) for k in call.keywords if k.arg}
    except (SyntaxError, ValueError, AssertionError, MemoryError, RecursionError):
        raise Rejected("bad_input", text[:80]) from None
    if not values or call.args or len(values) != len(call.keywords):
        raise Rejected("bad_input", text[:80])
    numbers = [n for v in values.values() for n in _numbers(v)]
    if not NUMBERS[0] <= len(numbers) <= NUMBERS[1]:
        raise Rejected("bad_input", f"{len(numbers)} numbers")
    return values


def _numbers(value: Any) -> list[float]:
    if isinstance(value, bool | int | float):
        return [value]
    if isinstance(value, list | tuple):
        return [n for v in value for n in _numbers(v)]
    raise Rejected("bad_input", f"holds {type(value).__name__}, not numbers")


def cases(example: dict[str, Any], rng: random.Random) -> list[list[Any]]:
    """The example, and variants of it: other numbers in the same shape, order changed, one row fewer."""
    made = [list(example.values())]
    while len(made) < CASES:
        made.append([_vary(v, rng) for v in example.values()])
    return made


def _vary(value: Any, rng: random.Random) -> Any:
    if isinstance(value, bool):
        return rng.random() < 0.5
    if isinstance(value, int):
        return value  # a lone integer is a size, an axis or a position: it keeps its meaning
    if isinstance(value, float):
        return round(value + rng.uniform(-2, 2), 2)
    varied = [_jitter(v, rng) for v in value]
    rng.shuffle(varied)
    return varied


def _jitter(value: Any, rng: random.Random) -> Any:
    if isinstance(value, bool):
        return rng.random() < 0.5
    if isinstance(value, int):
        return value + rng.randint(-5, 5)
    if isinstance(value, float):
        return round(value + rng.uniform(-5, 5), 2)
    return [_jitter(v, rng) for v in value]


def agree(
    outcomes: Sequence[Outcome],
    arguments: Sequence[Sequence[Any]],
    threshold: float,
    same: Callable[[Any, Any], bool],
    needed: Sequence[str] = (),
) -> tuple[list[int], list[Any]]:
    """The cases on which the largest agreeing party of attempts has values, and those values.

    Two attempts agree when they fail on the same cases and give the same values on the others. An attempt
    that did not call what the task is about (`needed`; any function if empty) says nothing about it and joins
    no party, nor does one whose answers no file holds: dictionaries, integers of thousands of digits.

    Raises:
        Rejected: unsolvable (fewer than two attempts gave two values), inconsistent (the largest party is
            smaller than `threshold` of all attempts), bad_answer (no task can have such answers), trivial
            (the answer is always the same, or is always an argument).
    """
    parties: list[tuple[tuple[int, ...], list[Any], int]] = []
    ran = odd = 0
    for outcome in outcomes:
        good = tuple(i for i, c in enumerate(outcome.cases) if c.error is None)
        if outcome.status != "ok" or len(good) < 2:
            continue
        if not all(set(outcome.cases[i].calls).intersection(needed or outcome.cases[i].calls) for i in good):
            continue
        values = [outcome.cases[i].value for i in good]
        if not _storable(values):
            odd += 1
            continue
        ran += 1
        for at, (where, known, size) in enumerate(parties):
            if where == good and all(map(same, values, known)):
                parties[at] = (where, known, size + 1)
                break
        else:
            parties.append((good, values, 1))
    if ran < 2 <= ran + odd:
        raise Rejected("bad_answer", f"{odd} of {len(outcomes)} attempts gave answers that no task can have")
    if ran < 2:
        raise Rejected("unsolvable", f"{ran} of {len(outcomes)} attempts gave answers")
    where, values, size = max(parties, key=lambda p: p[2])
    if size < 2 or size < threshold * len(outcomes):
        raise Rejected("inconsistent", f"{size} of {len(outcomes)} attempts agree")
    if all(same(v, values[0]) for v in values) or all(
        any(same(v, a) for a in arguments[i]) for i, v in zip(where, values, strict=True)
    ):
        raise Rejected("trivial", f"answers {shown(values[0])[:60]}")
    return list(where), values


def _storable(values: list[Any]) -> bool:
    try:
        json.dumps(pack(values)).encode()
    except (TypeError, ValueError, RecursionError):
        return False
    return True

"""When two answers are equal. The truth decides how: mathematics is compared as mathematics, text as text."""

import re
from collections.abc import Callable
from decimal import Decimal, localcontext
from fractions import Fraction

from protocols.domains.math.notation import number
from protocols.domains.math.reading import (
    NAME,
    RATIO,
    Formula,
    Items,
    Quantity,
    Value,
    Words,
    as_words,
    read_plain,
    sides_of,
)
from protocols.domains.math.units import HUNDREDTHS

TOLERANCE = Fraction(1, 10**6)
_DIGITS = 50  # of a rounded number, for computer algebra


Ask = Callable[[str, str, bool], bool]
"""Whether two formulas are equal, given the truth's text, the answer's, and whether a number in them was
rounded."""

_GROUPED = re.compile(r"[-+]?\d{1,3}(?:\s\d{3})+")
_BELOW, _ABOVE = r"(<|\\lt\b|\\le(?:q|qslant)?(?![a-z]))", r"(>|\\gt\b|\\ge(?:q|qslant)?(?![a-z]))"
_VARIABLE = r"\s*([A-Za-z])\s*"
_BETWEEN = [
    re.compile(rf"(?:([^<>=]+?)\s*{sign})?{_VARIABLE}(?:{sign}\s*([^<>=]+))?") for sign in (_BELOW, _ABOVE)
]


def equal(truth: Value, answer: Value, ask: Ask) -> bool:
    """Whether an answer is the true one. What `ask` raises for formulas passes through."""
    if isinstance(truth, Words):
        return truth.text == (answer.text if isinstance(answer, Words) else as_words(answer.text))
    if isinstance(answer, Words):
        meant = _as_number(answer.text) if isinstance(truth, Quantity) else None
        return meant is not None and equal(truth, meant, ask)
    if isinstance(truth, Items | Formula) and isinstance(answer, Items | Formula):
        named = _by_name(truth), _by_name(answer)
        if named[0] and named[1]:
            return named[0].keys() == named[1].keys() and all(
                equal(value, named[1][name], ask) for name, value in named[0].items()
            )
        true, said = _interval(truth), _interval(answer)
        if isinstance(truth, Items) and isinstance(answer, Formula) and said is not None:
            true = true or truth  # (0, 1) may be a point
        if true is not None and said is not None:
            return _same_items(true, said, ask)
    if isinstance(truth, Formula) and truth.value is not None:
        return _equal_named(truth, truth.value, answer, ask)
    if isinstance(answer, Formula) and not (isinstance(truth, Formula) and sides_of(truth.text)):
        if answer.value is not None:
            return equal(truth, answer.value, ask)
        if sides := sides_of(answer.text):  # 2 = 1 is no 1
            return _all_equal(truth, sides, ask)
    if isinstance(truth, Items):
        return isinstance(answer, Items) and _same_items(truth, answer, ask)
    if isinstance(answer, Items):
        return isinstance(truth, Formula) and ask(truth.text, answer.text, False)
    if isinstance(truth, Quantity) and isinstance(answer, Quantity):
        return _same_quantity(truth, answer)
    if truth.unit and answer.unit and truth.unit != answer.unit:
        return False
    rounded = any(isinstance(v, Quantity) and not v.number.exact for v in (truth, answer))
    return ask(_written(truth), _written(answer), rounded)


def _equal_named(truth: Formula, value: Value, answer: Value, ask: Ask) -> bool:
    """Whether an answer is name = value, the value alone, or the same equation."""
    if not isinstance(answer, Formula):
        return equal(value, answer, ask)
    sides = sides_of(answer.text)
    if len(sides) > 2:  # x = 9 = 5 is no x = 5
        return _all_equal(value, sides, ask)
    if answer.name == truth.name and answer.value is not None:
        return equal(value, answer.value, ask)
    if not sides and equal(value, answer, ask):
        return True
    if "(" in truth.name + answer.name and answer.name:
        return False  # values of functions, not of the same one
    return ask(truth.text, answer.text, False)


def _all_equal(truth: Value, sides: list[str], ask: Ask) -> bool:
    told = [read_plain(side) for side in sides if not NAME.fullmatch(side)]
    return bool(told) and all(equal(truth, side, ask) for side in told)


def _as_number(text: str) -> Quantity | None:
    """A number that is read as words: 12 345 may be a list, 10:20 a time of day; the truth tells."""
    if _GROUPED.fullmatch(text):
        text = re.sub(r"\s", "", text)
    elif ratio := RATIO.fullmatch(text):
        text = f"{ratio[1]}/{ratio[2]}"
    else:
        return None
    found = number(text)
    return None if found is None else Quantity(text, found, "")


def _by_name(value: Value) -> dict[str, Value]:
    """What several names stand for, in (x, y) = (2, 3) and in x = 2, y = 3; {} without several."""
    if isinstance(value, Formula) and value.name.startswith("(") and isinstance(value.value, Items):
        names = value.name.strip("()").split(",")
        return (
            dict(zip(names, value.value.items, strict=True)) if len(names) == len(value.value.items) else {}
        )
    if not isinstance(value, Items):
        return {}
    named = {v.name: v.value for v in value.items if isinstance(v, Formula) and v.name and v.value}
    return named if len(named) == len(value.items) > 1 else {}


def _interval(value: Value) -> Items | None:
    """An interval, or what an inequality says as one; several of them in no order."""
    if isinstance(value, Items):
        if value.is_interval or (len(value.items) == 2 and "\\infty" in value.text):
            return value
        parts = [_interval(item) for item in value.items] if not value.brackets else [None]
        return None if None in parts else Items(value.text, "", tuple(p for p in parts if p))
    if not isinstance(value, Formula):
        return None
    if "\\cup" in value.text:
        return _interval(Items(value.text, "", tuple(read_plain(p) for p in value.text.split("\\cup"))))
    for rising, between in zip((True, False), _BETWEEN):
        found = between.fullmatch(value.text)
        if found is None or not (found[1] or found[5]):
            continue
        ends = [(found[1], found[2]), (found[5], found[4])]
        (low, below), (high, above) = ends if rising else ends[::-1]
        brackets = ("[" if low and "e" in below else "(") + ("]" if high and "e" in above else ")")
        return Items(value.text, brackets, (read_plain(low or "-\\infty"), read_plain(high or "\\infty")))
    return None


def close(truth: Fraction, said: Fraction, rounded: bool) -> bool:
    """Whether two numbers are equal: exactly, or within the tolerance where one was rounded. An integer can
    always be written exactly, so it has to be met exactly."""
    if not rounded or truth.denominator == 1:
        return truth == said
    return abs(truth - said) <= TOLERANCE * abs(truth)


def _same_items(truth: Items, answer: Items, ask: Ask) -> bool:
    if truth.brackets == "{}" == answer.brackets or len(truth.items) == len(answer.items):
        pass
    else:
        return False
    if (
        truth.brackets != answer.brackets
        and (truth.brackets and answer.brackets)
        and (len(truth.items) == 2 or "{}" in (truth.brackets, answer.brackets))
    ):
        return False  # an open interval is no closed one, a set no tuple
    if truth.is_interval and not answer.brackets:
        return False
    named = [[isinstance(v, Formula) and bool(v.name) for v in one.items] for one in (truth, answer)]
    if truth.ordered or (all(named[0]) and not any(named[1]) and len({v.name for v in truth.items}) > 1):  # type: ignore[union-attr]
        return all(equal(a, b, ask) for a, b in zip(truth.items, answer.items, strict=True))
    left = list(answer.items)
    if truth.brackets == "{}":  # a set: how often an item is named says nothing
        return all(any(equal(a, b, ask) for b in left) for a in truth.items) and all(
            any(equal(a, b, ask) for a in truth.items) for b in left
        )
    for item in truth.items:
        met = next((n for n, other in enumerate(left) if equal(item, other, ask)), None)
        if met is None:
            return False
        left.pop(met)
    return True


def _same_quantity(truth: Quantity, answer: Quantity) -> bool:
    rounded = not (truth.number.exact and answer.number.exact)
    true, said = truth.number.value, answer.number.value
    if truth.unit == answer.unit or not truth.unit or not answer.unit:
        percent = [one.unit == "%" for one in (truth, answer)]
        # 50 % answers 50 where a percentage was asked for; 0.5 % is no 0.5.
        if close(true, said, rounded) and (abs(true) >= 1 or not percent[1] or percent[0]):
            return True
    if HUNDREDTHS.get(truth.unit) == answer.unit:
        return close(true / 100, said, rounded)
    return HUNDREDTHS.get(answer.unit) == truth.unit and close(true, said / 100, rounded)


def _written(value: Value) -> str:
    """For math-verify, whose numbers have no units and no commas."""
    if not isinstance(value, Quantity):
        return value.text
    over, under = value.number.value.as_integer_ratio()
    if not value.number.exact:
        with localcontext() as context:
            context.prec = _DIGITS
            return f"{Decimal(over) / Decimal(under):f}"
    return str(over) if under == 1 else f"{'-' * (over < 0)}\\frac{{{abs(over)}}}{{{under}}}"

r"""What an answer is: a number (with a unit), a text, several values, or a formula; and when two are equal.

    1,234 km   Quantity      compared exactly; a decimal that is no integer within `TOLERANCE`, relative
    Thursday   Words         compared as text: case, spaces and \text{} aside
    (1, 2]     Items         item by item; in any order where nothing gives one: 1, 2 or \{1, 2\}
    x = 2n+1   Formula       left to the computer algebra of math-verify (`judge`)

The truth decides: mathematics is compared as mathematics and text as text.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, localcontext
from fractions import Fraction

from protocols.domains.math.notation import Number, number, plain

TOLERANCE = Fraction(1, 10**6)
LONGEST = 2000  # characters of what is read as mathematics; what is longer is compared as text
_MOST_ITEMS = 64
_LONGEST_QUANTITY = 200
_DEEPEST = 8  # lists within lists
_DIGITS = 50  # of a rounded number, for computer algebra

Ask = Callable[[str, str, bool], bool]
"""Whether two formulas are equal, given the truth's text, the answer's, and whether a number in them was
rounded."""


@dataclass(frozen=True)
class Words:
    text: str  # as it is compared
    form = "text"


@dataclass(frozen=True)
class Quantity:
    text: str
    number: Number
    unit: str
    form = "number"


@dataclass(frozen=True)
class Items:
    text: str
    brackets: str  # "" if there are none
    items: tuple["Value", ...]
    form = "mathematics"

    @property
    def ordered(self) -> bool:
        return self.brackets not in ("", "{}") or any(v == _ELLIPSIS for v in self.items)


@dataclass(frozen=True)
class Formula:
    text: str
    name: str = ""  # of name = value
    value: "Value | None" = None
    form = "mathematics"


Value = Words | Quantity | Items | Formula

_ELLIPSIS = Words("...")
_DOTS = re.compile(r"\\(?:l|c)?dots|…")
_TEXT = re.compile(r"\\(?:text(?:bf|it|rm|normal)?|mathrm|mbox|operatorname\*?)\s*\{([^{}]*)\}")
_NAMES = re.compile(
    r"(?:arc|a)?(?:sin|cos|tan|cot|sec|csc)h?[a-z]?|ln[a-z]?|log[a-z]?|exp|sqrt|pi|inf(?:ty|inity)?|oo|mod|gcd|lcm"
    r"|min|max|frac|cdot|times|alpha|beta|gamma|theta|and|or|[xyz]{2,3}",
    re.I,
)
_WORD = re.compile(r"(?<![\\A-Za-z])[^\W\d_]{2,}|[^\x00-\u024f\u0370-\u03ff\u2000-\u2bff]")
_MATHEMATICS = re.compile(r"\\(?!text|mathrm|mbox)[A-Za-z]+|[=^_+*<>|{}]|\d\s*/\s*\d|[a-z]\d|\d[a-z]")
_SEQUENCE = re.compile(r"[-+.\d]+(?:\s+[-+.\d]+)+(?:\s*/\s*[\d.]+)?")  # 4 10/3 is no number either
_CLOCK = re.compile(r"\d{1,2}:\d\d(?::\d\d)?(?:\s*[ap]\.?m\.?)?", re.I)
_RATIO = re.compile(r"([\d.]+)\s*:\s*([\d.]+)")
_RATIOS = re.compile(r"[^:=,{}]+(?::[^:=,{}]+)+")
_NUMERAL = re.compile(r"\(?([0-9A-Fa-f]+)\)?\s*_\s*\{?\(?(\d+)\)?\}?")
_LETTER = re.compile(r"\(?[A-Za-df-z]\)?")  # e is a number
_UNIT = re.compile(
    r"\s*(%|\\?percent|\s[mslghLNJWVAKCF](?:\^\{?[23]\}?)?"
    r"|(?<![A-Za-z\\])[A-Za-z]{2,}\.?(?:\s*/\s*[A-Za-z]+|\s[A-Za-z]+)*(?:\^\{?[23]\}?)?)$"
)
_CURRENCY = re.compile(r"([-+]?)\s*[$€£]\s*")
_NAME = re.compile(
    r"(?:m\s*)?(?:\\?(?:angle|triangle)\s*)?\\?[A-Za-z]+(?:_\{?\w+\}?)?'*\s*(?:\([A-Za-z](?:\s*,\s*[A-Za-z])*\))?"
)
_EQUALS = re.compile(r"(?<![<>!=:])=(?!=)")
_AND = re.compile(r",?\s*(?:\\text\s*\{\s*(?:and|or)\s*\}|(?<![A-Za-z\\])(?:and|or)(?![A-Za-z]))\s*")


def read(text: str) -> Value | None:
    """The value of an answer as it was written; None if nothing is there."""
    found = plain(text)
    if not found.strip("{}()$ ") or re.fullmatch(r"\\(boxed|text)\s*(\{\s*\})?", found):
        return None
    return _read(found) if len(found) <= LONGEST else Words(_as_words(found))


def bare(text: str) -> str:
    """The text in plain notation without \\text{} around it."""
    return _TEXT.sub(r"\1", plain(text))


def equal(truth: Value, answer: Value, ask: Ask) -> bool:
    """Whether an answer is the true one. What `ask` raises for formulas passes through."""
    if isinstance(truth, Words):
        return truth.text == (answer.text if isinstance(answer, Words) else _as_words(answer.text))
    if isinstance(answer, Words):
        return False
    if isinstance(truth, Formula) and truth.value is not None:
        if isinstance(answer, Formula) and (answer.name == truth.name or not answer.name):
            inner = answer.value if answer.name else answer
            if inner is not None and not _sides(inner.text) and equal(truth.value, inner, ask):
                return True
        elif not isinstance(answer, Formula):
            return equal(truth.value, answer, ask)
        return ask(truth.text, answer.text, False)
    if isinstance(answer, Formula) and not (isinstance(truth, Formula) and _sides(truth.text)):
        if answer.value is not None:
            return equal(truth, answer.value, ask)
        if sides := _sides(answer.text):  # 2 = 1 is no 1
            told = [_read(side) for side in sides if not _NAME.fullmatch(side)]
            return bool(told) and all(equal(truth, side, ask) for side in told)
    if isinstance(truth, Items):
        return isinstance(answer, Items) and _same_items(truth, answer, ask)
    if isinstance(answer, Items):
        return isinstance(truth, Formula) and ask(truth.text, answer.text, False)
    if isinstance(truth, Quantity) and isinstance(answer, Quantity):
        return _same_quantity(truth, answer)
    rounded = any(isinstance(v, Quantity) and not v.number.exact for v in (truth, answer))
    return ask(_written(truth), _written(answer), rounded)


def close(truth: Fraction, said: Fraction, rounded: bool) -> bool:
    """Whether two numbers are equal: exactly, or within the tolerance where one was rounded. An integer can
    always be written exactly, so it has to be met exactly."""
    if not rounded or truth.denominator == 1:
        return truth == said
    return abs(truth - said) <= TOLERANCE * abs(truth)


def shown(value: Value) -> str:
    """The same text for equal numbers and texts, e.g. for votes."""
    if isinstance(value, Quantity):
        return str(value.number.value)
    if isinstance(value, Items):
        inner = [shown(item) for item in value.items]
        return ", ".join(inner if value.ordered else sorted(inner))
    return shown(value.value) if isinstance(value, Formula) and value.value else value.text


def _read(text: str, depth: int = 0) -> Value:
    text = text.strip()
    while text.startswith("(") and text.endswith(")") and _closes_last(text) and len(_split(text[1:-1])) == 1:
        if _LETTER.fullmatch(text):
            break
        text = text[1:-1].strip()
    if found := number(text):
        return Quantity(text, found, "")
    if quantity := _quantity(text):
        return quantity
    if numeral := _NUMERAL.fullmatch(text):
        return Words(f"{numeral[1].upper().lstrip('0')}_{numeral[2]}")
    if _CLOCK.fullmatch(text) or _LETTER.fullmatch(text) or _is_words(text):
        return Words(_as_words(text))
    if (ratio := _RATIO.fullmatch(text)) and (found := number(f"{ratio[1]}/{ratio[2]}")):
        return Quantity(text, found, "")
    if _RATIOS.fullmatch(text):
        return Words(re.sub(r"\s+", "", _DOTS.sub("...", text)))
    sides = _sides(text)
    if len(sides) == 2 and _NAME.fullmatch(sides[0]):
        return Formula(text, "".join(sides[0].split()), _read(sides[1], depth + 1))
    return (_items(text, depth) if depth < _DEEPEST else None) or Formula(text)


def _quantity(text: str) -> Quantity | None:
    if len(text) > _LONGEST_QUANTITY:
        return None
    bare = _TEXT.sub(lambda found: f" {found[1].strip()} ", text).strip() if "\\" in text else text
    bare = _CURRENCY.sub(r"\1", bare, count=1) if bare[:1] in "$€£+-" else bare
    unit = _UNIT.search(bare)
    if unit is None:
        found = number(bare)
        return Quantity(text, found, "") if found and bare != text else None
    name = re.sub(r"[\s{}.\\]", "", unit[1]).casefold()
    if _NAMES.fullmatch(name):
        return None
    found = number(bare[: unit.start()].strip())
    name = "%" if name == "percent" else name.removesuffix("s")
    return Quantity(text, found, name) if found else None


def _is_words(text: str) -> bool:
    if _SEQUENCE.fullmatch(text):
        return True
    bare = _TEXT.sub(r" \1 ", text)
    words = [word for word in _WORD.findall(bare) if not _NAMES.fullmatch(word)]
    return bool(words) and not _MATHEMATICS.search(bare)


def _as_words(text: str) -> str:
    bare = " ".join(_TEXT.sub(r" \1 ", text).casefold().split()).strip(" .,;:!?\"'$")
    return bare[1:-1].strip() if bare.startswith("(") and bare.endswith(")") and "(" not in bare[1:] else bare


def _sides(text: str) -> list[str]:
    """Of an equation or a chain of them; [] without an equals sign."""
    parts = [part.strip() for part in _EQUALS.split(text)]
    return parts if len(parts) > 1 else []


def _items(text: str, depth: int) -> Items | None:
    brackets, inner = "", text
    if text[:1] + text[-1:] in ("()", "[]", "(]", "[)") and _closes_last(text):
        brackets, inner = text[0] + text[-1], text[1:-1]
    elif text.startswith("\\{") and text.endswith("\\}"):
        brackets, inner = "{}", text[2:-2]
    if text.count("\\pm") == 1 and not brackets:
        parts = [text.replace("\\pm", sign) for sign in "+-"]
    else:
        parts = _split(_AND.sub(",", inner))
    if len(parts) < 2 and brackets not in ("[]", "{}"):
        return None
    if not 0 < len(parts) <= _MOST_ITEMS or not all(part.strip() for part in parts):
        return None
    items = tuple(_ELLIPSIS if _is_dots(part) else _read(part, depth + 1) for part in parts)
    return Items(text, brackets, items)


def _is_dots(text: str) -> bool:
    return _DOTS.sub("...", text).strip() == "..."


def _closes_last(text: str) -> bool:
    """Whether the first bracket closes with the last character."""
    depth = 0
    for place, sign in enumerate(text):
        depth += (sign in "([{") - (sign in ")]}")
        if depth == 0:
            return place == len(text) - 1
    return False


def _split(text: str) -> list[str]:
    """At commas and semicolons that are in no bracket."""
    parts, depth, start = [], 0, 0
    for place, sign in enumerate(text):
        depth += (sign in "([{") - (sign in ")]}")
        if sign in ",;" and depth == 0:
            parts.append(text[start:place])
            start = place + 1
    return [*parts, text[start:]]


def _same_items(truth: Items, answer: Items, ask: Ask) -> bool:
    if truth.brackets == "{}" == answer.brackets or len(truth.items) == len(answer.items):
        pass
    else:
        return False
    if truth.brackets and answer.brackets and truth.brackets != answer.brackets and len(truth.items) == 2:
        return False  # an open interval is no closed one
    if truth.ordered:
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
        if close(true, said, rounded):
            return True
        percent = [one.unit == "%" for one in (truth, answer)]
        true, said = (v / 100 if p else v for v, p in zip((true, said), percent, strict=True))
        return any(percent) and close(true, said, rounded)
    return False


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

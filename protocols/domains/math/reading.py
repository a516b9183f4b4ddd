r"""What an answer is: a number (with a unit), a text, several values, or a formula.

    1,234 km   Quantity      compared exactly; a decimal that is no integer within a tolerance, relative
    Thursday   Words         compared as text: case, spaces and \text{} aside
    (1, 2]     Items         item by item; in any order where nothing gives one: 1, 2 or \{1, 2\}
    x = 2n+1   Formula       left to the computer algebra of math-verify (`judge`)

`values` compares them.
"""

import re
from dataclasses import dataclass

from protocols.domains.math import units
from protocols.domains.math.notation import Number, number, plain

LONGEST = 2000  # characters of what is read as mathematics; what is longer is compared as text
_MOST_ITEMS = 64
_LONGEST_QUANTITY = 200
_DEEPEST = 8  # lists within lists


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
    def is_interval(self) -> bool:
        return len(self.items) == 2 and self.brackets in ("[]", "(]", "[)")

    @property
    def ordered(self) -> bool:
        return self.brackets not in ("", "{}") or any(v == _ELLIPSIS for v in self.items)


@dataclass(frozen=True)
class Formula:
    text: str
    name: str = ""  # of name = value
    value: "Value | None" = None
    unit: str = ""
    form = "mathematics"


Value = Words | Quantity | Items | Formula

_ELLIPSIS = Words("...")
_DOTS = re.compile(r"\\(?:l|c)?dots|…")
_TEXT = re.compile(r"\\(?:text(?:bf|it|rm|normal)?|mathrm|mbox|operatorname\*?)\s*\{([^{}]*)\}")
_NAMES = re.compile(
    r"(?:arc|a)?(?:sin|cos|tan|cot|sec|csc)h?[a-z]?|ln[a-z]?|log[a-z]?|exp|sqrt|pi|inf(?:ty|inity)?|oo|mod|gcd|lcm"
    r"|min|max|frac|cdot|times|alpha|beta|gamma|theta|and|or|[abc]{3}|[xyz]{2,3}"
    # Two letters that are no word are a product.
    r"|(?!am|an|as|at|be|by|do|go|he|hi|if|in|is|it|me|my|no|of|oh|ok|on|so|to|up|us|we)[a-z]{2}",
    re.I,
)
_WORD = re.compile(r"(?<![\\A-Za-z])[^\W\d_]{2,}|[^\x00-\u024f\u0370-\u03ff\u2000-\u2bff]")
_MATHEMATICS = re.compile(r"\\(?!text|mathrm|mbox)[A-Za-z]+|[=^_+*<>|{}]|\d\s*/\s*\d|[a-z]\d|\d[a-z]")
_SEQUENCE = re.compile(r"[-+]?[.\d]+(?:\s+[-+]?[.\d]+)+(?:\s*/\s*[\d.]+)?")  # 4 10/3 is no number either
_ROMAN = re.compile(r"(?=[IVXLCDM]{2})M{0,3}(?:CM|CD|D?C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})")
_REALS = re.compile(r"\\mathbb\s*\{R\}|(?:the\s+)?(?:set\s+of\s+)?(?:all\s+)?reals?(?:\s+numbers?)?", re.I)
_CLOCK = re.compile(r"(\d{1,2}:\d\d(?::\d\d)?)\s*(?:([ap])\.?\s*m\.?)?", re.I)
_DATE = re.compile(r"\d{4}-\d\d-\d\d|\d{1,2}/\d{1,2}/\d{4}")
# What computer algebra reads past: bounds, figures, and what follows or comes before a number.
_STRANGE = re.compile(
    r"(?:\\(?:ge|geq|geqslant|le|leq|leqslant|lt|gt|approx|sim)\b|[<>]|or\b).*|.*(?:\\l?dots|'+)|\\bar.*"
    r"|\\(?:angle|triangle|overline|overrightarrow|overleftrightarrow|widehat|mathbb)\s*\{?\s*[A-Z]+\s*\}?"
    r"|.*\\[dt]?frac\s*\{[^{}]*\}\s*\{[^{}]*\}\s*\d.*"
)
RATIO = re.compile(r"([\d.]+)\s*:\s*([\d.]+)")
_RATIOS = re.compile(r"[^:=,{}]+(?::[^:=,{}]+)+")
_NUMERAL = re.compile(r"\(?([0-9A-Fa-f]+)\)?\s*_\s*\{?\(?(\d+)\)?\}?")
_LETTER = re.compile(r"\(?[A-Za-df-hj-z]\)?|[a-z]\)")  # e and i are numbers
_SYMBOL = (
    r"(?:[mck]m|[mk]?g|[mc]?[lL]|ms|min|hrs?|sec|ft|in|yd|mi|oz|lbs?|mph|[kM]?W|[kM]?Hz|[kM]?N|[kM]?J|[kM]?Pa|eV|mol"
    r"|rad|deg|usd|cents?)"
)
_ONE = rf"(?:{_SYMBOL}|(?<=\s)[mslghLNJWVAKCF])(?![A-Za-z])"
_PER = rf"\s*/\s*(?:{_SYMBOL}|[msLhgAVKN])(?![A-Za-z])"
_RAISED = r"(?:\s*\^\s*\{?-?\d\}?)?"
_UNIT = re.compile(
    rf"\s*(%|\\?percent|[$€£]|{_ONE}{_RAISED}(?:{_PER}{_RAISED})*"
    rf"|(?:(?<=\s)|(?<=\d)(?=[A-Za-z]{{4}}))[A-Za-z]{{2,}}\.?(?:\s*/\s*[A-Za-z]+|\s[A-Za-z]+|\s[$€£])*{_RAISED})$"
)
_FORMULA_UNIT = re.compile(
    rf"\s*(?:\\(?:text|mathrm|mbox)\s*\{{\s*([A-Za-z]+(?:/[A-Za-z]+)?)\s*\}}({_RAISED})|(?<=\s)({_ONE}{_RAISED}))$"
)
_FACTORS = {
    "hundred": 100,
    "dozen": 12,
    "thousand": 1000,
    **{n: 10 ** (6 + 3 * i) for i, n in enumerate(("million", "billion", "trillion"))},
}
_FACTOR = re.compile(rf"(?<![A-Za-z])({'|'.join(_FACTORS)})s?(?![A-Za-z])\s*(?:of\s+)?", re.I)
# Words that say more than a unit does.
_SAYS_MORE = re.compile(
    r"(?<![A-Za-z])(?:(?:half|third|quarter|fifth|sixth|seventh|eighth|ninth|tenth|hundredth|thousandth|millionth)s?"
    r"|halves|squared|cubed|factorial|times|minus|plus|or|more|less|than|is|are|not|wrong|cos|sin|tan|theta|over|at"
    r"|about|to|and|if|but|ten|root|choose|doubled|halved|divided|below|above|point|mod|base|per|lambda|pi|inf|nan"
    r"|ln|incorrect|false|quadrillion|crore|lakh|\w*teenths?|twelfths?|elevenths?|billionths?)(?![A-Za-z])",
    re.I,
)
_CURRENCY = re.compile(r"([-+]?)\s*([$€£])\s*")
_GROUPED = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?!,?\d)")
_SPACED = re.compile(r",\s|;")
_CALLED = re.compile(r"[A-Za-z]\w*'*\s*[(\[].*[)\]]|\|.*\|")  # f(f(2)), P(X=2), |z|
NAME = re.compile(
    r"\|[A-Z]{2}\||\\text\s*\{[^{}]*\}|[A-Za-z]\s*\(\s*-?\d+\s*\)|\(\s*[A-Za-z](?:\s*,\s*[A-Za-z])*\s*\)"
    r"|[A-Za-z](?:\s*[-+]\s*[A-Za-z])+|(?:m\s*)?(?:\\?(?:angle|triangle)\s*)?\\?[A-Za-z]+(?:_\{?\w+\}?)?'*\s*(?:\([A-Za-z](?:\s*,\s*[A-Za-z])*\))?"
)
_EQUALS = re.compile(r"(?<![<>!=:])=(?!=)")
_AND = re.compile(r",?\s*(?:\\text\s*\{\s*(?:and|or)\s*\}|(?<![A-Za-z\\])(?:and|or)(?![A-Za-z]))\s*")


def read(text: str) -> Value | None:
    """The value of an answer as it was written; None if nothing is there."""
    found = plain(text)
    if not found.strip("{}()$ ") or re.fullmatch(r"\\(boxed|text)\s*(\{\s*\})?", found):
        return None
    return read_plain(found) if len(found) <= LONGEST else Words(as_words(found))


def bare(text: str) -> str:
    """The text in plain notation without \\text{} around it."""
    return _TEXT.sub(r"\1", plain(text))


def shown(value: Value) -> str:
    """The same text for equal numbers and texts, e.g. for votes."""
    if isinstance(value, Quantity):
        return str(value.number.value)
    if isinstance(value, Items):
        inner = [shown(item) for item in value.items]
        return ", ".join(inner if value.ordered else sorted(inner))
    return shown(value.value) if isinstance(value, Formula) and value.value else value.text


def read_plain(text: str, depth: int = 0) -> Value:
    text = text.strip(" \t\n$") if text.count("$") != 1 else text.strip()
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
    if clock := _CLOCK.fullmatch(" ".join(_TEXT.sub(r" \1 ", text).split())):
        hour = clock[1].removeprefix("0")
        return Words(f"{hour} {clock[2]}m".lower() if clock[2] else hour)
    if _REALS.fullmatch(text):
        return read_plain("(-\\infty, \\infty)", depth + 1)
    if _DATE.fullmatch(text) or _STRANGE.fullmatch(text) or _LETTER.fullmatch(text) or _ROMAN.fullmatch(text):
        return Words(as_words(text))
    if _is_words(text):
        return Words(as_words(text))
    if (ratio := RATIO.fullmatch(text)) and (found := number(f"{ratio[1]}/{ratio[2]}")):
        return Quantity(text, found, "")
    if _RATIOS.fullmatch(text):
        return Words(re.sub(r"\s+", "", _DOTS.sub("...", text)))
    sides = sides_of(text)
    if len(sides) == 2 and (NAME.fullmatch(sides[0]) or _CALLED.fullmatch(sides[0])):
        return Formula(text, "".join(sides[0].split()), read_plain(sides[1], depth + 1))
    within = re.fullmatch(r"([A-Za-z])\s*\\in\b(.+)", text)
    if within:
        return read_plain(within[2], depth + 1)
    items = _items(text, depth) if depth < _DEEPEST else None
    if items is None and (unit := _FORMULA_UNIT.search(text)):
        named = re.sub(r"[\s{}]", "", units.short(f"{unit[1] or ''}{unit[2] or ''}{unit[3] or ''}"))
        return (
            Formula(text[: unit.start()].strip(), unit=named)
            if text[: unit.start()].strip()
            else Formula(text)
        )
    return items or Formula(text.replace("$", "").strip())


def _quantity(text: str) -> Quantity | None:
    if len(text) > _LONGEST_QUANTITY:
        return None
    bare = _TEXT.sub(lambda found: f" {found[1].strip()} ", text).strip() if "\\" in text else text
    money = _CURRENCY.match(bare)
    bare = units.short(bare if money is None else money[1] + bare[money.end() :])
    unit = _UNIT.search(bare)
    if unit is None:
        found = number(bare)
        return Quantity(text, found, money[2] if money else "") if found and bare != text else None
    if _SAYS_MORE.search(unit[1]):
        return None
    found = number(bare[: unit.start()].strip())
    told = unit[1]
    if factor := _FACTOR.match(told):
        told = told[factor.end() :]
        found = found and Number(found.value * _FACTORS[factor[1].casefold()], found.exact)
    name = re.sub(r"[\s{}.\\]", "", told)
    if len(name) > 3:  # a word: cases and numbers of it are one
        name = name.casefold().removesuffix("s")
        if _NAMES.fullmatch(name):
            return None
    name = name or (money[2] if money else "")
    return Quantity(text, found, "%" if name == "percent" else name) if found else None


def _is_words(text: str) -> bool:
    if _SEQUENCE.fullmatch(text):
        return True
    bare = _TEXT.sub(r" \1 ", text)
    words = [word for word in _WORD.findall(bare) if not _NAMES.fullmatch(word)]
    return bool(words) and not _MATHEMATICS.search(bare)


def as_words(text: str) -> str:
    bare = " ".join(_TEXT.sub(r" \1 ", text).casefold().split()).strip(" .,;:!?\"'$").replace(" ,", ",")
    if re.fullmatch(r"[a-z]\)", bare):
        return bare[0]
    return bare[1:-1].strip() if bare.startswith("(") and bare.endswith(")") and "(" not in bare[1:] else bare


def sides_of(text: str) -> list[str]:
    """Of an equation or a chain of them; [] without an equals sign outside braces and brackets."""
    parts = [""]
    for part in _EQUALS.split(text):
        if any(parts[-1].count(a) > parts[-1].count(b) for a, b in ("{}", "()")):  # \\sum_{k=1}, P(X=1)
            parts[-1] += f"={part}"
        else:
            parts.append(part)
    parts = [part.strip() for part in parts[1:]] if not parts[0] else parts
    return parts if len(parts) > 1 else []


def _items(text: str, depth: int) -> Items | None:
    brackets, inner = "", text
    if text[:1] + text[-1:] in ("()", "[]", "(]", "[)") and _closes_last(text):
        brackets, inner = text[0] + text[-1], text[1:-1]
    elif text.startswith("\\{") and text.endswith("\\}"):
        brackets, inner = "{}", text[2:-2]
    inner = _AND.sub(", ", inner)
    if _SPACED.search(inner):  # 1,000, 2,000
        inner = _GROUPED.sub(lambda found: found[0].replace(",", ""), inner)
    parts = _split(inner)
    if brackets in ("", "{}"):
        parts = [both for part in parts for both in _both(part)]
    if len(parts) < 2 and brackets not in ("[]", "{}"):
        return None
    if not 0 < len(parts) <= _MOST_ITEMS or not all(part.strip() for part in parts):
        return None
    items = tuple(_ELLIPSIS if _is_dots(part) else read_plain(part, depth + 1) for part in parts)
    return Items(text, brackets, items)


def _both(text: str) -> list[str]:
    """What a \\pm stands for."""
    return [text.replace("\\pm", sign) for sign in "+-"] if text.count("\\pm") == 1 else [text]


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

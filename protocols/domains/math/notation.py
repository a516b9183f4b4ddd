r"""One notation for what models and data sets write in many, and the numbers in it.

    \(1{,}234\)  **5**  .5  5.  1 1/2  \frac12  0.\overline{3}  1.2e5  −7  （1，2）  45^\circ

Nothing is computed here: `plain` rewrites signs, `number` reads what is a number as it stands.
"""

import re
import unicodedata
from dataclasses import dataclass
from fractions import Fraction

_LONGEST = 3000  # characters of a text that is rewritten
_LONGEST_NUMBER = 1000  # of a number
_LARGEST_EXPONENT = 400  # of ten: 1e999999999 would fill the memory

_SUPERSCRIPTS = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺ⁿⁱˣ⁽⁾]+")
_SUBSCRIPTS = re.compile("[₀₁₂₃₄₅₆₇₈₉₊₋ₙᵢₖ]+")
_SIGNS = str.maketrans(
    {
        **dict.fromkeys("−‒–—﹣－‐‑", "-"),
        **dict.fromkeys("≤⩽", "\\le "),
        **dict.fromkeys("≥⩾", "\\ge "),
        "∈": "\\in ",
        "⟨": "(",
        "⟩": ")",
        "ℝ": "\\mathbb{R}",
        "˚": "^\\circ ",
        "’": "'",
        "∨": "\\text{ or }",
        **dict.fromkeys("×✕", "\\times "),
        **dict.fromkeys("·⋅", "\\cdot "),
        "÷": "/",
        "⁄": "/",
        "∕": "/",
        "π": "\\pi ",
        "∞": "\\infty ",
        "≠": "\\ne ",
        "±": "\\pm ",
        "∪": "\\cup ",
        "。": ".",
    }
)
_ROOTS = re.compile(r"([√∛])\s*(?:(\d+(?:\.\d+)?|[A-Za-z])|\(([^()]*)\)|\{([^{}]*)\})")
_UNSEEN = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff\u00ad]")
_SAME = (  # other ways to write the same
    (re.compile(r"\\\\\[[\d.]+\s*(?:pt|em|ex|mm|cm)\]"), r"\\\\"),
    (re.compile(r"(?<!\\)\\[()\[\]]"), " "),
    (re.compile(r"\\lbrace\b\s*"), r"\\{"),
    (re.compile(r"\s*\\rbrace\b"), r"\\}"),
    (re.compile(r"\\(?:langle\b|lparen\b)"), "("),
    (re.compile(r"\\(?:rangle\b|rparen\b)"), ")"),
    (re.compile(r"\\varnothing\b"), r"\\emptyset"),
    (re.compile(r"\{\.\}"), "."),
    (re.compile(r"(?<=\d)\s*[xX]\s*(?=10\s*\^)"), r"\\times "),
    (re.compile(r"(?<=[\w)])\*\*(?=[\w({-])"), "^"),
    (re.compile(r"\\(?:bar|dot)\s*(?=\{?\d)"), r"\\overline"),
    (re.compile(r"^([-+]?\d*\.\d*)\((\d+)\)$"), r"\1\\overline{\2}"),
    (re.compile(r"\\mathbb\s*([A-Z])"), r"\\mathbb{\1}"),
    (re.compile(r"\\(?:[dtc]|nice|s)frac(?![a-z])"), r"\\frac"),
)
_GOES_ON = re.compile(
    r"(?P<before>[-+]?\d{0,20}\.\d{0,12}?)(?P<period>\d{1,6}?)(?P=period){2,}(?:\.\.\.|…|\\l?dots)"
)
_SINE = re.compile(r"\\(?:arc)?(?:sin|cos|tan|cot|sec|csc)(?![a-z])")
_VULGAR = re.compile(r"(?<=\d)(?=[¼-¾⅐-⅞])")
_WRAPPED = (
    re.compile(r"\$\$?(.+?)\$?\$", re.S),
    re.compile(r"\\\((.+)\\\)", re.S),
    re.compile(r"\\\[(.+)\\\]", re.S),
    re.compile(r"(?:\*{1,3}|`+)([^*`]+)(?:\*{1,3}|`+)"),
    re.compile(
        r"\\(?:boxed|fbox|mathbf|boldsymbol|bm|text|textbf|textsf|texttt|textit|emph|mathit|mathrm|mbox|underline|(?:text)?color\s*\{\w+\})\s*\{([^{}]+)\}"
    ),
)
_SPACING = re.compile(
    r"(?<!\\)\\(?:[!,;:> ]|quad\b|qquad\b|displaystyle\b|left\b\.?|right\b\.?|[bB]igg?[lrm]?(?![a-z]))|~"
)
_EDGES = re.compile(r"^[\s$]+|(?<!\\)[\s$]+$")
_UPRIGHT = re.compile(r"(?<![\d}\s])\\(?:mathrm|mathbf|text|operatorname)\s*\{([A-Za-z0-9])\}")
_DEGREE = r"(?:\^\s*\{?\s*\\circ\s*\}?|°|\\degree\b)"
_DEGREES = re.compile(_DEGREE)
_OF_DEGREES = re.compile(rf"\(?(?<!\d)(\d{{1,9}}(?:\.\d{{1,9}})?)\s*{_DEGREE}\)?")
_MINUTES = re.compile(
    rf"(\d{{1,9}})\s*{_DEGREE}\s*(\d{{1,2}})\s*(?:'|\^\{{?\\prime\}}?)\s*(?:(\d{{1,2}})\s*'')?"
)
_OVER_BARE = re.compile(r"\\frac\s*((?:[A-Za-z0-9]|\\(?:pi|alpha|beta|gamma|theta)(?![a-z])))")
_UNDER = re.compile(
    r"(\\frac\s*\{(?:[^{}]|\{[^{}]*\})*\})\s*([A-Za-z0-9]|\\(?:pi|alpha|beta|gamma|theta)(?![a-z]))"
)
_LETTERS = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{2,}")
_PLAIN_NAMES = re.compile(
    r"(?:arc|a)?(?:sin|cos|tan|cot|sec|csc)h?|ln|log|exp|sqrt|pi|inf|infinity|oo|alpha|beta|gamma|theta", re.I
)
_PLAIN = re.compile(rf"(?<![\\A-Za-z])({_PLAIN_NAMES.pattern})(?![A-Za-z])", re.I)
_PLAIN_OF = re.compile(r"(?<![\\A-Za-z])(sqrt|exp)\s*\(([^()]*(?:\([^()]*\)[^()]*)*)\)", re.I)
_PLAIN_ROOT = re.compile(r"(?<![\\A-Za-z])sqrt\s*(\d+|[a-z])(?![A-Za-z])", re.I)
_OF = {"sqrt": "\\sqrt", "exp": "e^"}
_LATEX = {"inf": "infty", "infinity": "infty", "oo": "infty"} | {
    f"a{name}": f"arc{name}" for name in ("sin", "cos", "tan", "cot", "sec", "csc")
}
_THOUSANDS = re.compile(r"(?<=\d)(?:\{,\}|\\[,!: ]|[\u2009\u202f\u00a0]|\\thinspace\b|,\\!)+(?=\d{3})")
_END = re.compile(r"(?<![.])[.,;]$")

_INTEGER = r"(?:[1-9]\d{0,2}(?:,\d{3})+|\d+)"
_DECIMAL = rf"(?:{_INTEGER}(?:\.\d*)?|\.\d+)"
_NUMBER = re.compile(
    rf"(?P<sign>[-+]?)\s*(?:(?P<decimal>{_DECIMAL})"
    r"(?:\\overline\s*(?:\{(?P<braced>\d+)\}|(?P<repeated>\d)))?"
    r"(?:[eE](?P<e>[-+]?\d+)|\s*(?:\\times|\\cdot|\*)\s*10\s*\^\s*(?:\{(?P<raised>[-+]?\d+)\}|(?P<power>-?\d+)))?)"
)
_OVER = re.compile(
    rf"(?P<sign>[-+]?)\s*(?:(?P<whole>{_INTEGER})(?:\s+|(?=\\)))?"
    rf"(?:(?P<over>{_DECIMAL})\s*/\s*(?P<under>[-+]?{_DECIMAL})"
    rf"|\\[dt]?frac\s*(?:\{{\s*(?P<top>[-+]?{_DECIMAL})\s*\}}|(?P<t>\d))\s*"
    rf"(?:\{{\s*(?P<bottom>[-+]?{_DECIMAL})\s*\}}|(?P<b>\d)))"
)
_PERIOD = re.compile(r"\.\d*$")


@dataclass(frozen=True)
class Number:
    value: Fraction
    exact: bool  # an integer or a fraction; a decimal is taken to be rounded
    lowest: bool = True  # no fraction that could be cancelled


def plain(text: str) -> str:
    """The same mathematics in one notation: no wrapping, no spacing, ASCII signs, no sign of degrees."""
    if len(text) > _LONGEST:  # of what is read as mathematics; the rest would take its time
        return text.strip()
    text = _VULGAR.sub(" ", _UNSEEN.sub("", text).strip())
    text = _ROOTS.sub(_root, text)
    text = _SUPERSCRIPTS.sub(lambda found: f"^{{{unicodedata.normalize('NFKC', found[0])}}}", text)
    text = _SUBSCRIPTS.sub(lambda found: f"_{{{unicodedata.normalize('NFKC', found[0])}}}", text)
    text = _THOUSANDS.sub("", text.translate(_SIGNS))
    text = unicodedata.normalize("NFKC", text).translate(_SIGNS).strip()
    for _ in range(4):  # wrappings within wrappings
        before = text
        for wrapping in _WRAPPED:
            found = wrapping.fullmatch(text)
            text = found[1].strip() if found else text
        text = _EDGES.sub("", text)
        if text == before:
            break
    text = _UPRIGHT.sub(r"\1", text)
    text = _SPACING.sub(lambda found: found[0][:0] if found[0][1:2] == "!" else " ", text)
    for other, same in _SAME:
        text = other.sub(same, text)
    text = _degrees(_functions(_fractions(text))).replace("\\%", "%").replace("\\$", "$").replace("{,}", ",")
    if found := _GOES_ON.fullmatch(text):
        text = f"{found['before']}\\overline{{{found['period']}}}"
    return _END.sub("", text.strip().rstrip("\\")).strip()


def _root(found: re.Match[str]) -> str:
    return f"\\sqrt{'[3]' if found[1] == '∛' else ''}{{{found[2] or found[3] or found[4]}}}"


def _fractions(text: str) -> str:
    """With braces around what \\frac takes without: \\frac ab, \\frac\\pi2. Numbers have theirs already."""
    return _UNDER.sub(r"\1{\2}", _OVER_BARE.sub(r"\\frac{\1}", text))


def _functions(text: str) -> str:
    """With the names of functions and constants as LaTeX has them, where no other words are: exp(-x)."""
    words = _LETTERS.findall(text)
    if not words or not all(_PLAIN_NAMES.fullmatch(word) for word in words):
        return text
    for _ in range(text.count("(")):
        before, text = text, _PLAIN_OF.sub(lambda found: f"{_OF[found[1].casefold()]}{{{found[2]}}}", text)
        if text == before:
            break
    text = _PLAIN_ROOT.sub(r"\\sqrt{\1}", text)
    return _PLAIN.sub(lambda found: f"\\{_LATEX.get(found[1].casefold(), found[1].casefold())} ", text)


def _degrees(text: str) -> str:
    """Without degrees: where they are the unit of all, they are dropped; of an angle in minutes, and of what
    a sine is taken of, they are computed."""
    if found := _MINUTES.fullmatch(text):
        seconds = int(found[1]) * 3600 + int(found[2]) * 60 + int(found[3] or 0)
        return f"{seconds}/3600"
    if _SINE.search(text):
        text = _OF_DEGREES.sub(r"(\\frac{\1\\pi}{180})", text)
    return _DEGREES.sub(" ", text)


def number(text: str) -> Number | None:
    """The number that a plain text is as it stands; None if anything is left to compute.

    Mixed numbers are sums (1 1/2 is 3/2), as are those with \\frac.
    """
    if len(text) > _LONGEST_NUMBER:
        return None
    if found := _NUMBER.fullmatch(text):
        return _decimal(found)
    if found := _OVER.fullmatch(text):
        over = _fraction(found["over"] or found["top"] or found["t"])
        under = _fraction(found["under"] or found["bottom"] or found["b"])
        whole = _fraction(found["whole"] or "0")
        if not under or (found["whole"] and not 0 <= over < under):
            return None  # 4 10/3 is no mixed number
        value = whole + over / under
        lowest = over.denominator == under.denominator == 1 and under > 0
        lowest = lowest and Fraction(over, under).denominator == under
        return Number(-value if found["sign"] == "-" else value, exact=True, lowest=lowest)
    return None


def _fraction(text: str) -> Fraction:
    return Fraction(text.replace(",", ""))


def _decimal(found: re.Match[str]) -> Number | None:
    written = found["decimal"].replace(",", "")
    repeated = found["braced"] or found["repeated"]
    places = len(written.partition(".")[2])
    if repeated and "." not in written:
        return None
    value = Fraction(f"0{written}" if written.startswith(".") else written.removesuffix("."))
    if repeated:
        value += Fraction(int(repeated), (10 ** len(repeated) - 1) * 10**places)
    exponent = int(found["e"] or found["raised"] or found["power"] or 0)
    if abs(exponent) > _LARGEST_EXPONENT:
        return None
    value *= Fraction(10) ** exponent
    exact = bool(repeated) or value.denominator == 1
    return Number(-value if found["sign"] == "-" else value, exact=exact)

r"""One name for each unit, however it is written: `5 centimeters`, `5 sq. ft.`, `5 miles per hour`.

A unit that is not known here keeps the name it has. What a unit is worth in others is not computed, cents and
dollars aside.
"""

import re

_NAMES = {
    "mm": "millimet(?:er|re)s?",
    "cm": "centimet(?:er|re)s?",
    "km": "kilomet(?:er|re)s?|kms",
    "m": "met(?:er|re)s?",
    "in": "inch(?:es)?|in\\.",
    "ft": "foot|feet|ft\\.",
    "yd": "yards?|yds?\\.?",
    "mi": "miles?",
    "mg": "milligrams?",
    "kg": "kilograms?|kilos?|kgs",
    "g": "grams?",
    "£": "pounds? sterling",
    "lb": "lbs?\\.?|pounds?",
    "oz": "ounces?|oz\\.",
    "mL": "millilit(?:er|re)s?|ml",
    "L": "lit(?:er|re)s?|l",
    "ms": "milliseconds?",
    "s": "seconds?|secs?\\.?",
    "min": "minutes?|mins?\\.?",
    "h": "hours?|hrs?\\.?",
    "rad": "radians?",
    "deg": "degrees?",
    "$": "dollars?|usd|bucks?",
    "cent": "cents?|¢",
    "€": "euros?",
}
_POWER = r"(?:(?:(?P<square>square|sq\.?)|(?P<cubic>cubic|cu\.?))\s+)?"
_WORD = re.compile(
    rf"(?<![A-Za-z\\])(?:{_POWER}(?:"
    + "|".join(f"(?P<u{number}>{words})" for number, words in enumerate(_NAMES.values()))
    + r")(?P<raised>\s+squared|\s+cubed)?|(?P<fast>(?P<miles>mph)|kmph|kph))(?![A-Za-z])",
    re.I,
)
_SYMBOLS = "|".join(map(re.escape, _NAMES))
_SHORT = re.compile(rf"(?<![A-Za-z\\]){_POWER}(?P<of>{_SYMBOLS})(?![A-Za-z^])")
_PER = re.compile(r"(?<=[A-Za-z$\d])\s+per\s+(?=[A-Za-z])")
HUNDREDTHS = {"%": "", "cent": "$"}
"""Units, and what each is a hundredth of."""


def short(text: str) -> str:
    """With the units that are known by their symbols: `5 cm^2`, `5 mi/h`."""
    found = _WORD.sub(_symbol, text)
    found = _SHORT.sub(_raised, found)
    return _PER.sub("/", found) if found != text else found


def _raised(found: re.Match[str]) -> str:
    return found["of"] + ("^2" if found["square"] else "^3" if found["cubic"] else "")


def _symbol(found: re.Match[str]) -> str:
    if found["fast"]:
        return "mi/h" if found["miles"] else "km/h"
    symbol = next(name for number, name in enumerate(_NAMES) if found[f"u{number}"])
    raised = (found["raised"] or "").strip().casefold()
    if found["square"] or raised == "squared":
        symbol += "^2"
    elif found["cubic"] or raised == "cubed":
        symbol += "^3"
    return symbol

"""Model output made harmless to look at: in a terminal, in HTML, in a log.

Does not cover HTML escaping; templates do that.
"""

import unicodedata

#: Unicode categories that act instead of showing: controls (ANSI begins with one), format characters
#: (bidi marks, zero-width), surrogates, private use, line and paragraph separators.
_ACTING = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")


def visible(text: str, limit: int = 20_000) -> str:
    """The text with every acting character but newline and tab written as its code, cut at `limit`."""
    cut = text[:limit]
    shown = "".join(
        c if c in "\n\t" or unicodedata.category(c) not in _ACTING else f"<U+{ord(c):04X}>" for c in cut
    )
    return shown if len(cut) == len(text) else f"{shown}\n... {len(text) - limit} more characters"


def one_line(text: str, limit: int = 100) -> str:
    """The same on one line."""
    flat = " ".join(visible(text, 4 * limit).split())
    return flat if len(flat) <= limit else flat[: limit - 3] + "..."

"""Characters that nobody sees, or that a terminal or an XML reader obeys, as the escapes Python writes.

What a model wrote is data: shown, and never acted on.
"""

import unicodedata

_KEPT = "\n\t"
# Letters by category, and yet nothing is seen of them.
_BLANK_LETTERS = {0x115F, 0x1160, 0x3164, 0xFFA0}
_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


class _Escapes(dict[int, str]):
    """Code point to what is shown for it, worked out when it is first met."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        hidden = unicodedata.category(char) in _HIDDEN or code in _BLANK_LETTERS
        shown = _escape(code) if hidden and char not in _KEPT else char
        self[code] = shown
        return shown


def _escape(code: int) -> str:
    """As Python writes it: `\\x1b`, `\\u202e`, `\\U000e0041`."""
    if code == 0x0D:
        return "\\r"
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


_ESCAPES = _Escapes()


def reveal(text: str) -> str:
    """Control, bidirectional, zero-width and other unseen characters as visible escapes; line ends and tabs
    stay."""
    return text.translate(_ESCAPES)

"""Output for terminals that lack UTF-8: what they cannot show comes in ASCII, and never as a failure."""

import codecs
import io
import sys

_PLAIN = {
    "─": "-",
    "━": "-",
    "═": "=",
    "│": "|",
    "┃": "|",
    "–": "-",
    "—": "-",
    "…": "...",
    "→": "->",
    "·": "-",
}
_BOXES = range(0x2500, 0x25A0)


def _in_ascii(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    signs = str(error.object)[error.start : error.end]
    shown = (_PLAIN.get(sign, "+" if ord(sign) in _BOXES else "") or _escaped(sign) for sign in signs)
    return "".join(shown), error.end


def _escaped(sign: str) -> str:
    return sign.encode("ascii", "backslashreplace").decode()


def set_up() -> None:
    """Have standard output and standard error of this process show every text."""
    codecs.register_error("taskspace.ascii", _in_ascii)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="taskspace.ascii")

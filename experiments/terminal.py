"""Output for terminals: what a model wrote moves no cursor, and what a terminal cannot show comes in ASCII.

Tables and progress bars send colours and movements of their own where somebody looks at them; all else that
a terminal would obey is written out (`\\x1b]0;`), and everything is where output goes to a file or a pipe.
"""

import codecs
import io
import re
import sys

from protocols.visible import reveal

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
#: What rich sends to terminals: colours everywhere, movements for progress bars (on standard error).
_COLOURS = re.compile(r"(\x1b\[[\d;]*m)")
_MOVEMENTS = re.compile(r"(\x1b\[[\d;?]*[A-Za-z]|\r)")
_OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


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
            _make_visible(stream)


def _make_visible(stream: io.TextIOWrapper) -> None:
    kept: re.Pattern[str] | None = None
    if stream.isatty():
        kept = _MOVEMENTS if stream is sys.stderr else _COLOURS
    write = stream.write

    def shown(text: str) -> int:
        if not _OBEYED.search(text):
            return write(text)
        parts = kept.split(text) if kept else [text]  # what is kept stands at the odd places
        parts[::2] = [_OBEYED.sub(lambda sign: reveal(sign[0]), part) for part in parts[::2]]
        write("".join(parts))
        return len(text)

    stream.write = shown  # type: ignore[method-assign]

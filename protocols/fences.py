"""Fenced code in answers of language models: which blocks there are, and which of them is the answer.

Fences are paired as CommonMark pairs them (spec 0.31, section 4.5): a shorter or another fence, one that is
indented by four spaces, or one with words behind it closes nothing. What models write beyond the standard is
read too: a fence at the end of a line of prose, a fenced block that is indented as a whole, fences in a
docstring.

Does not cover: the authors' own rule (`domains.zwc.authors`), which is kept as it is.
"""

import io
import re
import textwrap
import tokenize
from collections import deque
from dataclasses import dataclass
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.token import Token

_PYTHON = re.compile(r"[{.\s]*(?:i?python|py)(?:\d[\d.]*)?(?![a-z_-])", re.IGNORECASE)
_FENCE = re.compile(r"`{3}|~{3}")
_BEHIND_PROSE = re.compile(
    r"^(.*\S)[ \t]*((?:`{3,}|~{3,})[ \t]*(?:python|py)\b[^`\n]*)$", re.IGNORECASE | re.MULTILINE
)
_HIDDEN = "\ufdd0"  # before a line that is no fence; no text holds it (a noncharacter of Unicode)
#: Among stop strings: the fence that closes a block (`actors.engines.stopping`).
CLOSING = "\ufdd0```"
_MOST = 50  # fences within strings of one answer


@dataclass(frozen=True)
class Block:
    info: str
    """What stands behind the opening fence."""
    body: str
    """Without fences, the newline before the closing one, and common indentation."""
    closed: bool
    """Whether there is a closing fence; without one, the block goes on to the end of the answer."""

    @property
    def python(self) -> bool:
        return _PYTHON.match(self.info) is not None

    def defines(self, name: str) -> bool:
        """Whether a function, class or variable of this name is made at the top of the block."""
        word = re.escape(name)
        return (
            re.search(rf"^(?:(?:async +)?def|class) +{word}\b|^{word} *[:=]", self.body, re.MULTILINE)
            is not None
        )


def last_code_block(response: str, entry_point: str = "") -> str | None:
    """The body of the block that is the answer: the last one that is said to be Python, else the last that
    defines the entry point, else the last without a word behind its fence. None where there is no such."""
    found = code_blocks(response)
    python = [block for block in found if block.python]
    defining = [block for block in found if entry_point and block.defines(entry_point)]
    bare = [block for block in found if not block.info]
    for blocks in (python, defining, bare):
        if blocks:
            return blocks[-1].body
    return None


def ends_closed(text: str) -> bool:
    """Whether the last line of a text, a fence, closes a block."""
    found = code_blocks(text)
    return bool(found) and found[-1].closed


def ends_open(text: str) -> bool:
    """Whether a text ends within a block."""
    found = code_blocks(text)
    return bool(found) and not found[-1].closed


def code_blocks(text: str) -> list[Block]:
    """All fenced blocks, in order."""
    found = _paired(text)
    if not any(block.python for block in found) and _BEHIND_PROSE.search(text):
        found = _paired(_BEHIND_PROSE.sub(r"\1\n\2", text))
    return found


def _paired(text: str) -> list[Block]:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    given_up: set[int] = set()  # opening lines of blocks in which a string never ends
    while True:
        found = _blocks(lines)
        cut = next(
            (
                start
                for start, (_, block) in found.items()
                if start >= 0 and start not in given_up and _cut(block)
            ),
            None,
        )
        if cut is None:
            return [block for _, block in found.values()]
        longer = _through_the_string(lines, cut)
        if longer is None:
            given_up.add(cut)
        else:
            lines = longer


def _through_the_string(lines: list[str], start: int) -> list[str] | None:
    """The lines with the fences hidden that lie within a string of the block that is opened there; None where
    the string never ends."""
    lines = lines.copy()
    for _ in range(_MOST):
        end, block = _blocks(lines)[start]
        if not _cut(block):
            return lines if block.closed else None
        lines[end] = _HIDDEN + lines[end]
    return None


def _cut(block: Block) -> bool:
    """Whether the fence that closes a block lies within a string in triple quotes."""
    if not (block.closed and block.python):
        return False
    try:
        deque(tokenize.generate_tokens(io.StringIO(block.body).readline), maxlen=0)
    except tokenize.TokenError as error:
        return "multi-line string" in str(error)
    except (SyntaxError, ValueError):
        pass
    return False


def _blocks(lines: list[str]) -> dict[int, tuple[int, Block]]:
    """Blocks with the line of their last fence, by that of their first; those in indented code, which have no
    lines of their own, at numbers below 0."""
    found: dict[int, tuple[int, Block]] = {}
    for token in _parser().parse("\n".join(lines)):
        if token.type == "fence" and token.map is not None:
            start, stop = token.map
            body = textwrap.dedent(token.content.replace(_HIDDEN, "").removesuffix("\n"))
            closed = _closes(token, lines[stop - 1], stop - start)
            found[start] = stop - 1, Block(token.info.strip(), body, closed)
        elif token.type == "code_block" and _FENCE.search(token.content):
            for block in code_blocks(textwrap.dedent(token.content)):
                found[-1 - len(found)] = -1, block
    return found


def _closes(token: Token, line: str, lines: int) -> bool:
    mark = token.markup
    return lines > 1 and re.fullmatch(rf"[\s>]*{re.escape(mark)}{re.escape(mark[0])}*\s*", line) is not None


@cache
def _parser() -> MarkdownIt:
    # HTML would swallow a fence behind a line such as </think>; only blocks are looked at.
    return MarkdownIt("commonmark").disable(["html_block", "inline", "reference"])

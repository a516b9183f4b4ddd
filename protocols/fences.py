"""Fenced code in answers of language models: which blocks there are, and which of them is the answer.

Fences are paired as CommonMark pairs them (spec 0.31, section 4.5): a shorter or another fence, one that is
indented by four spaces, or one with words behind it closes nothing. What models write beyond the standard is
read too: a fence at the end of a line of prose, a fenced block that is indented as a whole, fences in a
docstring.

Does not cover: the authors' own rule (`domains.zwc.authors`), which is kept as it is.
"""

import ast
import io
import re
import tokenize
from collections import deque
from dataclasses import dataclass
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.token import Token

_PYTHON = re.compile(r"[{.\s]*(?:i?python|py)(?:\d[\d.]*)?(?![a-z_-])", re.IGNORECASE)
_FENCE = re.compile(r"`{3}|~{3}")
_HIDDEN = "\ufdd0"  # before a line that is no fence; no text holds it (a noncharacter of Unicode)
#: Among stop strings: the fence that closes a block (`actors.engines.stopping`).
CLOSING = "\ufdd0```"
_MOST = 12  # fences within strings of one answer, or behind words
_DEEPEST = 2  # indented code within indented code: each level doubles the work
_MARKDOWN = re.compile(r"(?:markdown|md)\b", re.IGNORECASE)
_AND_WORDS = re.compile(r"[\s>]*(?P<fence>`{3,}|~{3,})\s*(?P<words>[^`\s].*)")


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
    """The body of the block that is the answer: the last one that is said to be Python (of those that define
    the entry point, if any does: the last may show how it is used), else the last that defines it, else the
    last without a word behind its fence. An empty block counts only where there is no other, and what was
    thought before `</think>` only where nothing came after. None where there is no such block."""
    _, said, answer = response.rpartition("</think>")
    if said and (after := last_code_block(answer, entry_point)) is not None:
        return after
    found = [inner for block in code_blocks(response) for inner in _inside(block)]
    for blocks in ([block for block in found if block.body.strip()], found):
        for chosen in (
            [block for block in blocks if block.python and entry_point and block.defines(entry_point)],
            [block for block in blocks if block.python],
            [block for block in blocks if entry_point and block.defines(entry_point)],
            [block for block in blocks if not block.info],
        ):
            if chosen:
                return chosen[-1].body
    return None


def ends_closed(text: str) -> bool:
    """Whether the last line of a text, a fence, closes a block; not where it may lie within a string."""
    found, in_a_string = _paired(_lines(text))
    return bool(found) and found[-1].closed and not in_a_string


def ends_open(text: str) -> bool:
    """Whether a text ends within a block."""
    found, _ = _paired(_lines(text))
    return bool(found) and not found[-1].closed


def _inside(block: Block) -> list[Block]:
    """The blocks of one that is said to be Markdown; else itself."""
    return (code_blocks(block.body, 1) or [block]) if _MARKDOWN.match(block.info) else [block]


def code_blocks(text: str, depth: int = 0) -> list[Block]:
    """All fenced blocks, in order; those in code that is indented to `_DEEPEST`."""
    lines = _lines(text)
    for _ in range(_MOST):
        late = next(filter(None, (_closed_late(lines, *at) for at in _spans(lines, depth))), None)
        if late is None:
            break
        lines[late[0] : late[0] + 1] = late[1]
    for _ in range(_MOST):
        within = {line for start, (end, _) in _blocks(lines, depth).items() for line in range(start, end + 1)}
        outside = (number for number in range(len(lines)) if number not in within)
        behind = next(((at, cut) for at in outside if (cut := _behind_prose(lines[at]))), None)
        if behind is None:
            break
        lines[behind[0] : behind[0] + 1] = behind[1]
    return _paired(lines, depth)[0]


def _spans(lines: list[str], depth: int) -> list[tuple[int, int]]:
    return [(start, end) for start, (end, _) in _blocks(lines, depth).items() if start >= 0]


def _closed_late(lines: list[str], start: int, end: int) -> tuple[int, list[str]] | None:
    """A line of a block that closes it and goes on with words (```</answer>), and it in two; None without.
    By the standard it closes nothing; it does where what stands before it is Python, and more is not."""
    opening = re.search("`{3,}|~{3,}", lines[start])
    for at in range(start + 1, end + 1):
        found = _AND_WORDS.fullmatch(lines[at])
        if opening is None or found is None or not found["fence"].startswith(opening[0]):
            continue
        body = _dedented("\n".join(lines[start + 1 : at]))
        if found["words"].startswith("</") or (body.strip() and _is_python(body)):
            return at, [found["fence"], found["words"]]
    return None


def _is_python(body: str) -> bool:
    try:
        ast.parse(body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _lines(text: str) -> list[str]:
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _behind_prose(line: str) -> list[str] | None:
    """A line of prose and the Python fence at its end, apart; None for other lines."""
    prose, fence, word = line.rpartition("```")
    prose = prose.rstrip("`")
    if not fence or word.strip().lower() not in ("python", "py", "python3") or not prose.strip(" \t>"):
        return None
    return [prose, line[len(prose) :]]


def _paired(lines: list[str], depth: int = 0) -> tuple[list[Block], bool]:
    """The blocks, and whether a string in one of them never ends."""
    given_up: set[int] = set()  # opening lines of blocks in which a string never ends
    left = _MOST  # an answer of nothing but fences must not take minutes
    while True:
        found = _blocks(lines, depth)
        cut = next(
            (at for at, (_, block) in found.items() if at >= 0 and at not in given_up and _cut(block)), None
        )
        if cut is None or left <= 0:
            return [block for _, block in found.values()], bool(given_up) or cut is not None
        longer = lines.copy()
        end, block = found[cut]
        while _cut(block) and left > 0:
            left -= 1
            longer[end] = _hidden(longer[end])
            end, block = _blocks(longer, depth)[cut]
        if block.closed and not _cut(block):
            lines = longer
        else:
            given_up.add(cut)


def _hidden(line: str) -> str:
    """A line whose fence is none any more, where it stands: in a list or a quotation, too."""
    fence = _FENCE.search(line)
    return line if fence is None else f"{line[: fence.start()]}{_HIDDEN}{line[fence.start() :]}"


def _cut(block: Block) -> bool:
    """Whether the fence that closes a block lies within a string in triple quotes."""
    if not block.closed or (block.info and not block.python):
        return False
    try:
        deque(tokenize.generate_tokens(io.StringIO(block.body).readline), maxlen=0)
    except tokenize.TokenError as error:
        return "multi-line string" in str(error)
    except (SyntaxError, ValueError):
        pass
    return False


def _blocks(lines: list[str], depth: int = 0) -> dict[int, tuple[int, Block]]:
    """Blocks with the line of their last fence, by that of their first; those in indented code, which have no
    lines of their own, at numbers below 0."""
    found: dict[int, tuple[int, Block]] = {}
    for token in _parser().parse("\n".join(lines)):
        if token.type == "fence" and token.map is not None:
            start, stop = token.map
            body = _dedented(token.content.replace(_HIDDEN, "").removesuffix("\n"))
            closed = _closes(token, lines[stop - 1], stop - start)
            found[start] = stop - 1, Block(token.info.strip(), body, closed)
        elif token.type == "code_block" and depth < _DEEPEST and _FENCE.search(token.content):
            for block in code_blocks(_dedented(token.content), depth + 1):
                found[-1 - len(found)] = -1 - len(found), block
    return found


def _dedented(code: str) -> str:
    """Without the blanks that all lines begin with. (`textwrap.dedent` also empties lines of blanks, which
    may be part of a string.)"""
    lines = code.split("\n")
    filled = [line for line in lines if line.strip()]
    margin = filled[0][: len(filled[0]) - len(filled[0].lstrip(" \t"))] if filled else ""
    while not all(line.startswith(margin) for line in filled):
        margin = margin[:-1]
    return "\n".join(line[len(margin) :] for line in lines) if margin else code


def _closes(token: Token, line: str, lines: int) -> bool:
    mark = token.markup
    return lines > 1 and re.fullmatch(rf"[\s>]*{re.escape(mark)}{re.escape(mark[0])}*\s*", line) is not None


@cache
def _parser() -> MarkdownIt:
    # HTML would swallow a fence behind a line such as </think>; only blocks are looked at.
    return MarkdownIt("commonmark").disable(["html_block", "inline", "reference"])

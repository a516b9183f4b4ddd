"""Make any text harmless to look at: what a model wrote is data, never markup and never a terminal.

`show` is for widgets that print plain text (`st.text`, `st.code`, tables); `hover` is for Plotly, which
reads a little HTML. Neither is for Markdown or HTML: no page hands data to those. `ui.tokens` alone writes
HTML, of tags of ours with `markup` between them.
Not covered: what a text says.
"""

from html import escape
from typing import Any

from protocols.visible import reveal

MAX_LINE = 2_000  # characters shown of one line: a longer one makes browsers crawl
MAX_TEXT = 60_000  # characters shown of one text


def clip(text: str, max_line: int = MAX_LINE, max_text: int = MAX_TEXT) -> tuple[str, bool]:
    """The text with long lines and a long tail replaced by notices; and whether anything was cut."""
    cut = len(text) > max_text
    head = text[:max_text]
    lines = head.split("\n")
    for i, line in enumerate(lines):
        if len(line) > max_line:
            # The last line of a cut head may go on beyond it: count what there is in the whole text.
            end = text.find("\n", max_text) if cut and i == len(lines) - 1 else -1
            length = len(line) if i < len(lines) - 1 or not cut else _tail(text, max_text, end) + len(line)
            lines[i] = f"{line[:max_line]} … [line of {length:,} characters, the first {max_line:,} shown]"
            cut = True
    shown = "\n".join(lines)
    if len(text) > max_text:
        shown += f"\n… [text of {len(text):,} characters, clipped]"
    return shown, cut


def _tail(text: str, start: int, end: int) -> int:
    return (end if end >= 0 else len(text)) - start


def show(value: Any, max_line: int = MAX_LINE, max_text: int = MAX_TEXT) -> str:
    """Any value as text that is safe to print: clipped, then every unseen character made visible."""
    text = value if isinstance(value, str) else str(value)
    return reveal(clip(text, max_line, max_text)[0])


def markup(text: str) -> str:
    """A text as it may stand between two tags or in a quoted attribute of HTML that we write.

    Unseen characters become visible escapes; whatever is no letter, digit or space becomes a number
    (`&#60;`), so that nothing is left that HTML, Markdown or a template could read.
    """
    return "".join(c if c.isalnum() or c in " \n" else f"&#{ord(c)};" for c in reveal(text))


def line(value: Any, width: int = 120) -> str:
    """One short line of any value, for table cells and labels of plain-text widgets."""
    text = value if isinstance(value, str) else str(value)
    text = text[: 4 * width].replace("\n", " ⏎ ").replace("\t", " ")
    text = reveal(text)
    return text if len(text) <= width else text[: width - 1] + "…"


def hover(value: Any, width: int = 90, max_lines: int = 6) -> str:
    """A value for Plotly's hover boxes, tick labels and legends: escaped, wrapped with `<br>`.

    Plotly reads `<b>`, `<br>`, `<a>` and entities in such texts, so `<`, `>` and `&` are escaped.
    """
    text = value if isinstance(value, str) else str(value)
    text = reveal(text[: 4 * width * max_lines].replace("\t", " "))
    if max_lines == 1:
        flat = text.replace("\n", " ")
        return escape(flat if len(flat) <= width else flat[: width - 1] + "…", quote=False)
    wrapped = [part[i : i + width] for part in text.split("\n") for i in range(0, max(len(part), 1), width)]
    if len(wrapped) > max_lines:
        wrapped = [*wrapped[: max_lines - 1], "…"]
    return "<br>".join(escape(part, quote=False) for part in wrapped)

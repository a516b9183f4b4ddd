"""A report as Markdown: its notes, tables and texts. Plots are left out; the HTML file has them."""

import re

from experiments.plaintext import one_line, visible
from experiments.reports.document import Heat, Report, Table, Text, shown

#: What Markdown, the HTML in it, or a page that shows it would act on: links are made of bare addresses, too.
_ACTING = re.compile(r"([\\`*_\[\]<>|~$&@]|:(?=//)|(?<=www)\.)")
#: What makes a list, a heading or a rule of a paragraph that begins with it.
_BEGINNING = re.compile(r"^(\d*)([-+#=]|(?<=\d)[.)](?!\d))")
NOTE = 600


def render(report: Report) -> str:
    lines = [f"# {escaped(report.title)}", ""]
    lines += [_paragraph(line) for line in report.lines]
    lines += [f"- {escaped(name)}: {escaped(value)}" for value, name in report.figures]
    for section in report.sections:
        lines += ["", f"## {escaped(section.title)}", ""]
        lines += [_paragraph(note) for note in section.notes]
        for part in section.parts:
            match part:
                case Table():
                    lines += _table(part)
                case Heat():
                    lines += _heat(part)
                case Text():
                    lines += _text(part)
    return "\n".join(lines).rstrip() + "\n"


def escaped(text: str, limit: int = 160) -> str:
    """On one line, and read as it is: no markup, no link, no HTML, no end of a cell."""
    return _ACTING.sub(r"\\\1", one_line(text, limit))


def _paragraph(text: str) -> str:
    return _BEGINNING.sub(r"\1\\\2", escaped(text, NOTE)) + "\n"


def _table(table: Table) -> list[str]:
    if not table.rows:
        return []
    marks = ["---" if column.kind == "text" else "---:" for column in table.columns]
    rows = [[escaped(shown(cell, c)) for c, cell in zip(table.columns, row)] for row in table.rows]
    return _grid([escaped(c.name) for c in table.columns], marks, rows)


def _heat(heat: Heat) -> list[str]:
    rows = [
        [escaped(name), *("" if v is None else f"{100 * v:.0f} %" for v in values)]
        for name, values in zip(heat.rows, heat.values)
    ]
    names = [escaped(heat.x_label), *(escaped(name) for name in heat.columns)]
    return [f"### {escaped(heat.title)}", "", *_grid(names, ["---"] + ["---:"] * len(heat.columns), rows)]


def _grid(names: list[str], marks: list[str], rows: list[list[str]]) -> list[str]:
    return ["| " + " | ".join(cells) + " |" for cells in (names, marks, *rows)] + [""]


def _text(text: Text) -> list[str]:
    body = visible(text.body)
    longest = max((len(run) for run in re.findall(r"`+", body)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"### {escaped(text.title, 200)}", "", f"{fence}text", body, fence, ""]

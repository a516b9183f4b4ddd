"""A report's tables for papers, as LaTeX: those with a label, each a `table` in the style of booktabs.

    \\usepackage{booktabs}
    \\input{report}

Plain LaTeX2e with its default encoding is enough: what that lacks is written as its code.
"""

import re

from experiments.plaintext import one_line
from experiments.reports.document import Column, Report, Table, shown

_ESCAPES = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\texttt{\char34}",
    "`": r"\textasciigrave{}",
    "\u2026": r"\dots{}",
}


def render(report: Report) -> str:
    """All labelled tables. A report without any rows in them gives a comment that says so."""
    tables = [
        part
        for section in report.sections
        for part in section.parts
        if isinstance(part, Table) and part.label and part.rows
    ]
    head = "% \\usepackage{booktabs}\n"
    if not tables:
        return head + "% nothing was measured\n"
    return head + "\n".join(_table(table, report.title) for table in tables)


#: Two of them in a row would become one: a dash, a quotation mark.
_JOINED = re.compile(r"(?<=([-',]))(?=\1)")


def escaped(text: str, limit: int = 160) -> str:
    """On one line, and typeset as it is."""
    return _JOINED.sub("{}", "".join(_character(c) for c in one_line(text, limit)))


def _character(c: str) -> str:
    if c in _ESCAPES:
        return _ESCAPES[c]
    if ord(c) < 128 or (0xC0 <= ord(c) <= 0xFF and c not in "×÷ÐÞðþ"):
        return c
    return f"\\texttt{{U+{ord(c):04X}}}"


def _table(table: Table, title: str) -> str:
    # Empty columns take room and tell nothing; a word that every row says is said once, in the caption.
    said = [{row[i] for row in table.rows} for i in range(len(table.columns))]
    words = [i for i in range(1, len(said)) if table.columns[i].kind == "text" and len(table.rows) > 1]
    once = [i for i in words if len(said[i]) == 1 and said[i] != {None}]
    kept = [i for i in range(len(said)) if i == 0 or (i not in once and said[i] != {None})]
    columns = [table.columns[i] for i in kept]
    caption = f"{table.title}: {title}"
    if once:
        caption += ". In all rows: " + ", ".join(f"{table.columns[i].name} {table.rows[0][i]}" for i in once)
    spec = "".join("l" if column.kind == "text" else "r" for column in columns)
    head = " & ".join(escaped(column.name) for column in columns)
    rows = [" & ".join(_cell(row[i], table.columns[i]) for i in kept) + r" \\" for row in table.rows]
    return "\n".join(
        [
            r"\begin{table}",
            r"  \centering",
            f"  \\caption{{{escaped(caption, 600)}}}",
            f"  \\label{{tab:{table.label}}}",
            f"  \\begin{{tabular}}{{{spec}}}",
            r"    \toprule",
            f"    {head} \\\\",
            r"    \midrule",
            *(f"    {row}" for row in rows),
            r"    \bottomrule",
            r"  \end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def _cell(cell: object, column: Column) -> str:
    text = shown(cell, column)  # type: ignore[arg-type]
    if column.kind == "text":
        return escaped(text)
    if text == "-":
        return "--"
    if not column.signed:
        text = text.replace(" to ", "--")
    return re.sub(r"-(?=\d)(?<!--)", "$-$", text).replace("%", r"\%").replace("<", "$<$")

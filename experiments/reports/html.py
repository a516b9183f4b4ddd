"""A report as one HTML file: no script, nothing loaded, plots as SVG, in the reader's light or dark."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from experiments.plaintext import one_line, visible
from experiments.reports import charts
from experiments.reports.document import Bars, Heat, Lines, Part, Report, Table, shown

TEMPLATES = Path(__file__).parents[1] / "templates"
#: Longest text of a cell, and of a note: names of settings and reasons fit, a megabyte of output does not.
CELL, NOTE = 160, 600


def render(report: Report) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"visible": visible, "one_line": one_line}
    tools = {
        "kind": lambda part: type(part).__name__.lower(),
        "svg": lambda part: Markup(_svg(part)),
        "legend": charts.legend,
        "grouped": _grouped,
        "cells": lambda table: [_cells(table, row) for row in table.rows],
    }
    return environment.get_template("report.html").render(report=report, note_length=NOTE, **tools)


def _grouped(parts: Sequence[Part]) -> list[tuple[bool, list[Part]]]:
    """Neighbours together: plots that can stand side by side, and the rest. Empty plots are left out."""
    drawn = [(isinstance(part, Lines | Bars | Heat), part) for part in parts]
    kept = [(plot, part) for plot, part in drawn if not plot or _svg(part)]
    return [(plot, [part for _, part in found]) for plot, found in groupby(kept, key=lambda one: one[0])]


def _cells(table: Table, row: tuple) -> list[tuple[str, str]]:
    """(kind of the column, text) of each cell."""
    return [(c.kind, one_line(shown(cell, c), CELL)) for c, cell in zip(table.columns, row)]


def _svg(part: Part) -> str:
    match part:
        case Lines():
            return charts.lines(part)
        case Bars():
            return charts.bars(part)
        case Heat():
            return charts.heat(part)
    raise TypeError(type(part).__name__)

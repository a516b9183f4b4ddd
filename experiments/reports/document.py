"""What a report is made of, before anything is said about how it looks.

Names, cells and texts are kept as they came, model output included: whoever renders them makes them harmless.
"""

from typing import Literal, TypeAlias

from protocols.records import Record

Kind = Literal["text", "count", "number", "percent", "p"]


class Share(Record):
    """A share in [0, 1], or a difference of two, with its 95 % interval where there is one."""

    mean: float
    low: float | None = None
    high: float | None = None


Cell: TypeAlias = str | int | float | Share | None


class Column(Record):
    name: str
    kind: Kind = "text"
    signed: bool = False  # a difference: shown with its sign


class Table(Record):
    """Rows of as many cells as there are columns. `label` names those that belong in a paper."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    label: str = ""


class Curve(Record):
    """Points by rising x; `band` holds the interval of each point's y, or nothing."""

    name: str
    points: tuple[tuple[float, float], ...]
    band: tuple[tuple[float, float], ...] = ()


class Lines(Record):
    title: str
    x_label: str
    y_label: str
    curves: tuple[Curve, ...]
    y_range: tuple[float, float] | None = None


class Bars(Record):
    """One horizontal bar a name."""

    title: str
    values: tuple[tuple[str, float], ...]
    unit: str


class Heat(Record):
    """Shares in [0, 1] by row and column; None where nothing was measured."""

    title: str
    x_label: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    values: tuple[tuple[float | None, ...], ...]


class Text(Record):
    """A text that keeps its lines. `folded`: shown when it is asked for."""

    title: str
    body: str
    folded: bool = False


Part: TypeAlias = Table | Lines | Bars | Heat | Text


class Section(Record):
    title: str
    notes: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()


class Report(Record):
    """`figures` are a run's main numbers, each with its name; `lines` say what the report is about."""

    title: str
    lines: tuple[str, ...]
    figures: tuple[tuple[str, str], ...]
    sections: tuple[Section, ...]


def shown(cell: Cell, column: Column) -> str:
    """A cell as plain text. A missing number is "-", a missing text nothing."""
    if cell is None:
        return "" if column.kind == "text" else "-"
    sign = "+" if column.signed else ""
    if isinstance(cell, Share):
        mean = f"{100 * cell.mean:{sign}.1f} %"
        if cell.low is None or cell.high is None:
            return mean
        return f"{mean} ({100 * cell.low:{sign}.1f} to {100 * cell.high:{sign}.1f})"
    if column.kind == "count":
        return f"{int(cell):,}" if not isinstance(cell, str) else cell
    if column.kind == "percent" and not isinstance(cell, str):
        return f"{100 * cell:{sign}.1f} %"
    if column.kind == "p" and not isinstance(cell, str):
        return "< 0.0001" if cell < 0.0001 else f"{cell:.4f}"
    if column.kind == "number" and not isinstance(cell, str):
        return f"{cell:{sign}.4g}"
    return str(cell)

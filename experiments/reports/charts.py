"""Charts as static SVG: lines with bands, bars, heat maps. A report must open offline and stay small, so
there is no script in them, and text takes the page's colour. Interactive charts are the screen's (`ui`).

Names of curves stand in no SVG but in the legend beside it (`legend`), where they may be long.
"""

import html
import math
from collections.abc import Sequence

from experiments.plaintext import one_line
from experiments.reports.document import Bars, Curve, Heat, Lines

_WIDTH, _HEIGHT = 640, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 12, 12, 34
#: Okabe and Ito's hues, as on the screen; beyond eight curves the dashes tell them apart.
_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#B8A900", "#8A8F98")
_DASHES = ("", "6 3", "2 3", "8 3 2 3")
#: Viridis at fifths: lightness rises all the way, so it reads without hue and in print.
_SCALE = ((68, 1, 84), (65, 68, 135), (42, 120, 142), (34, 168, 132), (122, 209, 81), (253, 231, 37))
#: More points than pixels show nothing more: beyond so many, neighbours are averaged.
MOST_POINTS = 300

Point = tuple[float, float]


def lines(of: Lines) -> str:
    """SVG of named lines over a numeric x. "" when there is no point at all."""
    curves = [(number, _drawable(curve)) for number, curve in enumerate(of.curves)]
    points = [p for _, curve in curves for p in curve.points]
    if not points:
        return ""
    x_low, x_high = _span([x for x, _ in points])
    edges = [y for _, curve in curves for band in curve.band for y in band]
    y_low, y_high = of.y_range or _span([0.0, *(y for _, y in points), *edges])

    def place(point: Point) -> tuple[float, float]:
        x = _LEFT + (point[0] - x_low) / (x_high - x_low) * (_WIDTH - _LEFT - _RIGHT)
        y = _HEIGHT - _BOTTOM - (point[1] - y_low) / (y_high - y_low) * (_HEIGHT - _TOP - _BOTTOM)
        return min(max(x, 0.0), _WIDTH), min(max(y, 0.0), _HEIGHT)

    def path(points: Sequence[Point]) -> str:
        return " ".join(f"{x:.1f},{y:.1f}" for x, y in map(place, points))

    parts = [_axes(x_low, x_high, y_low, y_high, of.x_label, of.y_label, {x for x, _ in points})]
    for number, curve in curves:
        if curve.band:
            xs = [x for x, _ in curve.points]
            low = [(x, b[0]) for x, b in zip(xs, curve.band)]
            high = [(x, b[1]) for x, b in zip(xs, curve.band)]
            colour = _COLOURS[number % len(_COLOURS)]
            parts.append(f'<polygon points="{path([*low, *high[::-1]])}" fill="{colour}" opacity="0.16"/>')
    for number, curve in curves:
        colour, dash = _COLOURS[number % len(_COLOURS)], _dash(number)
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        drawn = f'fill="none" stroke="{colour}" stroke-width="2"{dashed}'
        parts.append(f'<polyline points="{path(curve.points)}" {drawn}/>')
        if len(curve.points) > 40:
            continue
        for i, point in enumerate(curve.points):
            x, y = place(point)
            band = f" ({curve.band[i][0]:.4g} to {curve.band[i][1]:.4g})" if curve.band else ""
            told = _told(f"{curve.name}: {point[1]:.4g}{band} at {point[0]:g}")
            where = f'cx="{x:.1f}" cy="{y:.1f}" r="3.5"'
            parts.append(f'<circle {where} fill="{colour}"><title>{told}</title></circle>')
    return _svg(_HEIGHT, parts, of.title)


def legend(of: Lines) -> list[tuple[str, str, str]]:
    """(name, colour, dashes) of each curve with points; nothing where there is a single one."""
    if len(of.curves) < 2:
        return []
    return [
        (curve.name, _COLOURS[number % len(_COLOURS)], _dash(number))
        for number, curve in enumerate(of.curves)
        if curve.points
    ]


def bars(of: Bars) -> str:
    """SVG of one horizontal bar per name, in the given order. "" without values."""
    if not of.values:
        return ""
    row, left = 22, 190
    longest = max(value for _, value in of.values) or 1.0
    parts = []
    for number, (name, value) in enumerate(of.values):
        y = 6 + number * row
        width = value / longest * (_WIDTH - left - 90)
        parts.append(f'<text x="{left - 8}" y="{y + 13}" text-anchor="end">{_told(name, 30)}</text>')
        parts.append(f'<rect x="{left}" y="{y + 2}" width="{width:.1f}" height="14" fill="{_COLOURS[0]}"/>')
        parts.append(f'<text x="{left + width + 6:.1f}" y="{y + 13}">{value:.4g} {_told(of.unit)}</text>')
    return _svg(12 + row * len(of.values), parts, of.title)


def heat(of: Heat) -> str:
    """SVG of shares as coloured cells, with their percentages where there is room. "" without values."""
    if not of.rows or not of.columns:
        return ""
    left, top, height = 190, 20, 20
    width = (_WIDTH - left - _RIGHT) / len(of.columns)
    parts = []
    every = math.ceil(len(of.columns) / 14)
    for i, name in enumerate(of.columns):
        if i % every == 0:
            x = left + (i + 0.5) * width
            parts.append(f'<text x="{x:.1f}" y="{top - 6}" text-anchor="middle">{_told(name, 8)}</text>')
    for j, name in enumerate(of.rows):
        y = top + j * height
        parts.append(f'<text x="{left - 8}" y="{y + 14}" text-anchor="end">{_told(name, 30)}</text>')
        for i, value in enumerate(of.values[j]):
            if value is None:
                continue
            red, green, blue = _colour(value)
            told = _told(f"{name}, {of.x_label} {of.columns[i]}: {100 * value:.1f} %")
            where = f'x="{left + i * width:.1f}" y="{y}" width="{width:.1f}" height="{height}"'
            parts.append(f'<rect {where} fill="rgb({red},{green},{blue})"><title>{told}</title></rect>')
            if width >= 26:
                ink = "#000" if 0.3 * red + 0.6 * green + 0.1 * blue > 110 else "#fff"
                x = left + (i + 0.5) * width
                number = f"{100 * value:.0f}"
                parts.append(
                    f'<text x="{x:.1f}" y="{y + 14}" text-anchor="middle" fill="{ink}">{number}</text>'
                )
    bottom = top + len(of.rows) * height
    parts.append(
        f'<text x="{_WIDTH - _RIGHT}" y="{bottom + 15}" text-anchor="end">{_told(of.x_label)}</text>'
    )
    return _svg(bottom + 20, parts, of.title)


def _drawable(curve: Curve) -> Curve:
    """The curve without points that are no numbers, and with neighbours averaged where there are many."""
    banded = len(curve.band) == len(curve.points)
    kept = [i for i, (x, y) in enumerate(curve.points) if math.isfinite(x) and math.isfinite(y)]
    points = tuple(curve.points[i] for i in kept)
    band = tuple(curve.band[i] for i in kept) if banded else ()
    if len(points) <= MOST_POINTS:
        return Curve(name=curve.name, points=points, band=band)
    size = math.ceil(len(points) / MOST_POINTS)
    return Curve(
        name=curve.name,
        points=tuple(_mean(points[i : i + size]) for i in range(0, len(points), size)),
        band=tuple(_mean(band[i : i + size]) for i in range(0, len(band), size)),
    )


def _mean(pairs: Sequence[Point]) -> Point:
    return sum(a for a, _ in pairs) / len(pairs), sum(b for _, b in pairs) / len(pairs)


def _dash(number: int) -> str:
    return _DASHES[number // len(_COLOURS) % len(_DASHES)]


def _colour(share: float) -> tuple[int, int, int]:
    where = min(max(share, 0.0), 1.0) * (len(_SCALE) - 1)
    i = min(int(where), len(_SCALE) - 2)
    red, green, blue = (round(a + (b - a) * (where - i)) for a, b in zip(_SCALE[i], _SCALE[i + 1]))
    return red, green, blue


def _told(text: str, most: int = 200) -> str:
    """Text that shows and does nothing: neither in the markup nor to the lines around it."""
    return html.escape(one_line(text, most))


def _axes(
    x_low: float, x_high: float, y_low: float, y_high: float, x_label: str, y_label: str, xs: set[float]
) -> str:
    bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    parts = [f'<path d="M{_LEFT},{_TOP} V{bottom} H{right}" fill="none" stroke="#888"/>']
    for value in _ticks(y_low, y_high):
        y = bottom - (bottom - _TOP) * (value - y_low) / (y_high - y_low)
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:.4g}</text>')
        if value > y_low:
            parts.append(f'<path d="M{_LEFT},{y:.1f} H{right}" stroke="#888" opacity="0.25"/>')
    for value in sorted(xs) if len(xs) <= 12 else _ticks(x_low, x_high):
        x = _LEFT + (value - x_low) / (x_high - x_low) * (right - _LEFT)
        parts.append(f'<text x="{x:.1f}" y="{bottom + 15}" text-anchor="middle">{value:.6g}</text>')
    parts.append(f'<text x="{right}" y="{bottom + 30}" text-anchor="end">{_told(x_label)}</text>')
    parts.append(f'<text x="4" y="{bottom + 30}">{_told(y_label)}</text>')
    return "".join(parts)


def _ticks(low: float, high: float, most: int = 6) -> list[float]:
    """At most so many round numbers from low to high, 1, 2 or 5 times a power of ten apart."""
    rough = (high - low) / (most - 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    count = math.floor(high / step + 1e-9) - first + 1
    return [(first + i) * step for i in range(min(count, most))]


def _svg(height: float, parts: Sequence[str], title: str) -> str:
    body = "".join(parts)
    named = f'role="img" aria-label="{_told(title)}" fill="currentColor"'
    return f'<svg viewBox="0 0 {_WIDTH} {height}" {named} xmlns="http://www.w3.org/2000/svg">{body}</svg>'


def _span(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    return (low, high) if high > low else (low, low + 1.0)

"""Two charts as static SVG: lines and bars. A report must open offline and stay small, so there is no
script in them. Interactive charts are the screen's business (`ui`).
"""

from collections.abc import Mapping, Sequence
from html import escape

_WIDTH, _HEIGHT = 640, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 12, 12, 34
_COLOURS = ("#2563eb", "#d97706", "#059669", "#dc2626", "#7c3aed")

Point = tuple[float, float]


def lines(
    series: Mapping[str, Sequence[Point]],
    x_label: str,
    y_label: str,
    y_range: tuple[float, float] | None = None,
    marks: bool = True,
) -> str:
    """SVG of named lines over a numeric x. "" when there is no point at all."""
    points = [p for line in series.values() for p in line]
    if not points:
        return ""
    x_low, x_high = _span([x for x, _ in points])
    y_low, y_high = y_range or _span([0.0, *(y for _, y in points)])

    def place(point: Point) -> tuple[float, float]:
        x = _LEFT + (point[0] - x_low) / (x_high - x_low) * (_WIDTH - _LEFT - _RIGHT)
        y = _HEIGHT - _BOTTOM - (point[1] - y_low) / (y_high - y_low) * (_HEIGHT - _TOP - _BOTTOM)
        return x, y

    parts = [_axes(x_low, x_high, y_low, y_high, x_label, y_label, {x for x, _ in points})]
    for number, (name, line) in enumerate(series.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in map(place, line))
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        if marks:
            for point in line:
                x, y = place(point)
                told = escape(f"{name}: {point[1]:.4g} at {point[0]:g}")
                where = f'cx="{x:.1f}" cy="{y:.1f}" r="3.5"'
                parts.append(f'<circle {where} fill="{colour}"><title>{told}</title></circle>')
        parts.append(
            f'<text x="{_LEFT + 8 + 150 * number}" y="{_TOP + 8}" fill="{colour}">{escape(name)}</text>'
        )
    return _svg(_HEIGHT, parts)


def bars(values: Mapping[str, float], unit: str) -> str:
    """SVG of one horizontal bar per name, in the given order. "" without values."""
    if not values:
        return ""
    row, left = 22, 170
    longest = max(values.values()) or 1.0
    parts = []
    for number, (name, value) in enumerate(values.items()):
        y = 6 + number * row
        width = value / longest * (_WIDTH - left - 90)
        parts.append(f'<text x="{left - 8}" y="{y + 13}" text-anchor="end">{escape(name)}</text>')
        parts.append(f'<rect x="{left}" y="{y + 2}" width="{width:.1f}" height="14" fill="{_COLOURS[0]}"/>')
        parts.append(f'<text x="{left + width + 6:.1f}" y="{y + 13}">{value:.4g} {escape(unit)}</text>')
    return _svg(12 + row * len(values), parts)


def _axes(
    x_low: float, x_high: float, y_low: float, y_high: float, x_label: str, y_label: str, xs: set[float]
) -> str:
    bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    parts = [f'<path d="M{_LEFT},{_TOP} V{bottom} H{right}" fill="none" stroke="#888"/>']
    for step in range(5):
        value = y_low + (y_high - y_low) * step / 4
        y = bottom - (bottom - _TOP) * step / 4
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:.3g}</text>')
        if step:
            parts.append(f'<path d="M{_LEFT},{y:.1f} H{right}" stroke="#eee"/>')
    ticks = sorted(xs) if len(xs) <= 12 else [x_low + (x_high - x_low) * i / 5 for i in range(6)]
    for value in ticks:
        x = _LEFT + (value - x_low) / (x_high - x_low) * (right - _LEFT)
        parts.append(f'<text x="{x:.1f}" y="{bottom + 15}" text-anchor="middle">{value:.4g}</text>')
    parts.append(f'<text x="{right}" y="{bottom + 30}" text-anchor="end">{escape(x_label)}</text>')
    parts.append(f'<text x="4" y="{bottom + 30}">{escape(y_label)}</text>')
    return "".join(parts)


def _svg(height: int, parts: Sequence[str]) -> str:
    body = "".join(parts)
    return f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" xmlns="http://www.w3.org/2000/svg">{body}</svg>'


def _span(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    return (low, high) if high > low else (low, low + 1.0)

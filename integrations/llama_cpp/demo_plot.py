"""The demo's plot, as SVG: one bar a phase, on a logarithmic axis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

WIDTH = 720
BAR_HEIGHT = 26
ROW_HEIGHT = 38
LEFT = 100
RIGHT = 110
TOP = 64
COLOURS = {"reference": "#7a7a7a", "cold": "#7a7a7a", "damaged": "#c9822b"}
CACHED_COLOUR = "#2b7bba"


def label(ms: float) -> str:
    return f"{ms / 1000:.2f} s" if ms >= 1000 else f"{ms:.0f} ms"


def bars(phases: Sequence[tuple[str, float]], model: str) -> str:
    """`phases` are names and milliseconds to the first token."""
    low = math.floor(math.log10(max(min(ms for _, ms in phases), 0.1)))
    high = max(math.ceil(math.log10(max(ms for _, ms in phases))), low + 1)
    scale = (WIDTH - LEFT - RIGHT) / (high - low)
    bottom = TOP + ROW_HEIGHT * len(phases)

    def x(ms: float) -> float:
        return LEFT + (math.log10(max(ms, 10.0**low)) - low) * scale

    size = f'width="{WIDTH}" height="{bottom + 44}" viewBox="0 0 {WIDTH} {bottom + 44}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="13">',
        f'<rect width="{WIDTH}" height="{bottom + 44}" fill="#ffffff"/>',
        f'<text x="{LEFT}" y="26" font-size="16">Time to first token, {escape(model)}</text>',
        f'<text x="{LEFT}" y="46" fill="#555">first question of each phase; logarithmic axis</text>',
    ]
    for power in range(low, high + 1):
        at = x(10.0**power)
        parts.append(f'<line x1="{at:.1f}" y1="{TOP}" x2="{at:.1f}" y2="{bottom}" stroke="#dddddd"/>')
        place = f'x="{at:.1f}" y="{bottom + 20}"'
        parts.append(f'<text {place} text-anchor="middle" fill="#555">{label(10.0**power)}</text>')
    for row, (name, ms) in enumerate(phases):
        y = TOP + ROW_HEIGHT * row + (ROW_HEIGHT - BAR_HEIGHT) / 2
        colour = COLOURS.get(name, CACHED_COLOUR)
        middle = y + BAR_HEIGHT / 2 + 5
        parts.append(f'<text x="{LEFT - 10}" y="{middle:.1f}" text-anchor="end">{escape(name)}</text>')
        size = f'width="{max(x(ms) - LEFT, 1):.1f}" height="{BAR_HEIGHT}"'
        parts.append(f'<rect x="{LEFT}" y="{y:.1f}" {size} fill="{colour}"/>')
        parts.append(f'<text x="{x(ms) + 8:.1f}" y="{middle:.1f}">{label(ms)}</text>')
    return "\n".join([*parts, "</svg>", ""])

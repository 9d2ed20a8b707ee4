"""What tells runs apart: a colour and a symbol each, and both as they stand in the legend."""

from html import escape
from typing import NamedTuple

COLOURS = (
    *("#2a86b8", "#d9792b", "#664de6", "#17a173", "#cd1d3b", "#875a78"),
    *("#7085eb", "#d61fa8", "#6c9d99", "#af935a", "#3d7538", "#9540bf"),
)
"""Each the furthest from those before it for readers who see all colours, no red or no green, and visible on light
and dark ground."""

SYMBOLS = {
    "circle": "M-5 0A5 5 0 1 0 5 0A5 5 0 1 0-5 0Z",
    "diamond": "M0-6.5L6.5 0L0 6.5L-6.5 0Z",
    "square": "M-5-5H5V5H-5Z",
    "triangle-up": "M0-6L6 4.5H-6Z",
    "cross": "M-2-6H2V-2H6V2H2V6H-2V2H-6V-2H-2Z",
    "x": "M0-2.8L2.8-5.6L5.6-2.8L2.8 0L5.6 2.8L2.8 5.6L0 2.8L-2.8 5.6L-5.6 2.8L-2.8 0L-5.6-2.8L-2.8-5.6Z",
    "pentagon": "M0-6L5.7-1.9L3.5 4.9H-3.5L-5.7-1.9Z",
    "star": "M0-7L1.6-2.2H6.7L2.6.8L4.1 5.7L0 2.7L-4.1 5.7L-2.6.8L-6.7-2.2H-1.6Z",
    "triangle-down": "M0 6L-6-4.5H6Z",
    "hourglass": "M-5-5H5L-5 5H5Z",
    "bowtie": "M-5-5V5L5-5V5Z",
    "triangle-right": "M6 0L-4.5 6V-6Z",
    "triangle-left": "M-6 0L4.5-6V6Z",
}
"""Plotly's names, with their outlines: one more than colours, so that no two of many marks are alike."""


class Mark(NamedTuple):
    """How one run looks in every figure."""

    colour: str
    symbol: str


def mark_of(place: int) -> Mark:
    """Give a run its mark by its place among all."""
    return Mark(COLOURS[place % len(COLOURS)], list(SYMBOLS)[place % len(SYMBOLS)])


def legend_html(names: list[str]) -> str:
    """Write the legend of a panel, in the order of the marks; "" without names."""
    items = "".join(f'<span role="listitem">{_draw(place)}{escape(name)}</span>' for place, name in enumerate(names))
    return items and f'<div class="legend" role="list">{items}</div>'


def _draw(place: int) -> str:
    colour, symbol = mark_of(place)
    return (
        '<svg viewBox="-12 -8 24 16" width="24" height="16" aria-hidden="true" '
        'style="margin-right:6px;vertical-align:-3px">'
        f'<path d="M-12 0H12" stroke="{colour}" stroke-width="2.5"/><path d="{SYMBOLS[symbol]}" fill="{colour}"/></svg>'
    )

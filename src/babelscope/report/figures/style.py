"""Colours, frames and labels that all figures share; every colour of a line can be seen on light and dark ground."""

from collections.abc import Iterable, Mapping, Sequence
from math import isnan
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from babelscope.report.runs import scores_of

SEQUENTIAL = {
    "alignment": ((0, "#f4f1e6"), (0.25, "#bcd9c6"), (0.5, "#6db5a8"), (0.75, "#2b7f8c"), (1, "#123c5c")),
    "separability": ((0, "#f7f0e6"), (0.25, "#f3cf9f"), (0.5, "#e0935c"), (0.75, "#b4513f"), (1, "#5e1d3a")),
    "other": ((0, "#f1f0f4"), (0.25, "#cdcae0"), (0.5, "#9d97c4"), (0.75, "#6a62a1"), (1, "#352f6b")),
}
DIVERGING = ((0, "#a63d1f"), (0.25, "#e0936a"), (0.5, "#efece6"), (0.75, "#6aa5c4"), (1, "#17527d"))
ACCENT, STRONG, MUTED = "#d9792b", "#2a86b8", "#8b8f98"
MARGIN = {"l": 56, "r": 16, "t": 8, "b": 44}
BAR = {"thickness": 8, "outlinewidth": 0, "len": 0.9, "nticks": 5}
"""Of colours, beside a heat map."""
CATEGORIES = {"type": "category", "showgrid": False, "dtick": 1, "ticks": "", "tickfont": {"size": 10}}
"""An axis on which every name is written."""


def draw(
    traces: Sequence[Any], title: str, *, height: int = 360, margin: Mapping[str, int] | None = None, **layout: Any
) -> go.Figure:
    """Put traces into a frame of the house's style."""
    return go.Figure(sketch(traces, title, height=height, margin=margin, **layout))


def sketch(
    traces: Sequence[Any], title: str, *, height: int = 360, margin: Mapping[str, int] | None = None, **layout: Any
) -> dict[str, Any]:
    """The same of plain mappings, which plotly does not check: a hundred times as fast, for figures by the hundred."""
    frame = {"height": height, "margin": MARGIN | dict(margin or {}), "showlegend": False, "hovermode": "closest"}
    return {"data": list(traces), "layout": {"title": {"text": title}} | frame | layout}


def level(y: float, **line: Any) -> dict[str, Any]:
    """Make a line across the whole figure."""
    ends = {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": y, "y1": y}
    return {**ends, "line": {"color": MUTED, "width": 1, **line}}


def upright(x: float, **line: Any) -> dict[str, Any]:
    """Make a line from the bottom to the top of a figure."""
    ends = {"type": "line", "yref": "paper", "y0": 0, "y1": 1, "x0": x, "x1": x}
    return {**ends, "line": {"color": MUTED, "width": 1, **line}}


def by_script(codes: Iterable[str]) -> list[str]:
    """Sort distinct languages so that those of one writing system stand together."""
    return sorted(set(codes), key=lambda code: (code.rpartition("_")[2], code))


def moments(rows: pd.DataFrame) -> tuple[str, dict[int, str]]:
    """Name the steps at which layers were measured: by completed epochs where each was measured once, else by step.

    Args:
        rows: all rows of one run, so that its figures agree; a metric need not have been measured at every step.

    Returns:
        what the names count, and the name of every step in order.
    """
    rows = scores_of(rows[rows["layer"] != ""])
    pairs = rows[["step", "epoch"]].drop_duplicates().sort_values("step")
    by_epoch = pairs["epoch"].is_unique and pairs["step"].is_unique
    names = pairs["epoch"] if by_epoch else pairs["step"]
    named = {int(step): str(name) for step, name in zip(pairs["step"], names, strict=True)}
    return ("completed epochs" if by_epoch else "training steps"), named


def end_labels(
    ends: Sequence[tuple[str, float, str]], x: Any, span: float, *, height: int = 300, top: float = float("inf")
) -> list[dict[str, Any]]:
    """Label lines at their right ends, moved apart where they would overlap.

    Args:
        ends: text, y and colour of every label.
        x: where the lines end.
        span: how much of the y axis is seen.
        height: pixels that the span takes.
        top: the highest place for a label, in units of y.
    """
    gap = span * 15 / height
    shown = sorted((end for end in ends if not isnan(end[1])), key=lambda end: end[1])
    places: list[float] = []
    for _, y, _ in shown:  # upwards, each above the one before
        places.append(max(y, places[-1] + gap) if places else y)
    for i in reversed(range(len(places))):  # and back down, where that went beyond the top
        places[i] = min(places[i], top)
        top = places[i] - gap
    beside = {"x": x, "xanchor": "left", "xshift": 8, "yanchor": "middle", "showarrow": False}
    return [
        {**beside, "text": text, "y": y, "yshift": (at - y) / span * height, "font": {"color": colour, "size": 12}}
        for (text, y, colour), at in zip(shown, places, strict=True)
    ]


def fit_beside(names: Sequence[str]) -> bool:
    """Tell whether names are few and short enough to stand at the ends of their lines."""
    return len(names) <= 4 and all(len(name) <= 14 for name in names)


def clean(values: Iterable[float]) -> list[float | None]:
    """Round to what an eye can use, 4 decimals or 3 digits of what is small, and turn NaN into a gap."""
    return [
        None if isnan(value) else round(float(value), 4) if abs(value) >= 0.01 else _small(value) for value in values
    ]


def _small(value: float) -> float:
    """Round what is small to 3 digits; what is within the rounding of 32-bit numbers near 1 is 0, on any axis."""
    return float(f"{value:.3g}") if abs(value) >= 1e-7 else 0.0


def depth_colours(layers: int) -> list[str]:
    """Shade layers from orange near the input over violet to blue near the output."""
    ends = np.array([[217, 121, 43], [138, 108, 192], [42, 134, 184]])
    places = np.linspace(0, 2, layers)
    mixed = (
        np.stack([np.interp(places, range(3), ends[:, channel]) for channel in range(3)], axis=1).round().astype(int)
    )
    return [f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in mixed]


def rgba(colour: str, alpha: float) -> str:
    """Make a colour translucent."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{alpha})"


def layers_by_steps(layers: int, counted: str) -> dict[str, Any]:
    """Lay out a heat map of layers (upwards) by measurements, which are counted in steps or epochs."""
    axis = {"type": "category", "showgrid": False, "ticks": ""}
    return {
        "height": 90 + max(20 * layers, 190),
        "xaxis": {**axis, "title": {"text": counted}, "nticks": 12, "tickangle": 0},
        "yaxis": {**axis, "title": {"text": "layer"}},
    }

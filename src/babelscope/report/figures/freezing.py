"""What was trained: every part of the model, block by block, in every run."""

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from babelscope.report.figures.style import draw
from babelscope.report.words import plain

SHARE = ((0, "#c6c9d0"), (0.001, "#c6c9d0"), (0.001, "#a5cfe4"), (1, "#2a86b8"))


def draw_freezing(parts: Mapping[str, Sequence[Mapping[str, Any]]]) -> go.Figure:
    """Draw the parts of the model (input at the bottom) by run: blue trained, grey frozen, with parameter counts.

    Args:
        parts: per run the trainable map: rows with part, parameters, trainable.
    """
    runs = list(parts)
    names = list(dict.fromkeys(row["part"] for rows in parts.values() for row in rows))
    sizes = {
        run: {row["part"]: (int(row["parameters"]), int(row["trainable"])) for row in rows}
        for run, rows in parts.items()
    }
    cells = [[sizes[run].get(name) for run in runs] for name in names]
    heat = go.Heatmap(
        z=[[cell and (cell[1] / cell[0] if cell[0] else 0) for cell in line] for line in cells],
        x=[plain(run) for run in runs],
        y=[plain(name) for name in names],
        text=[[cell and _describe(*cell) for cell in line] for line in cells],
        customdata=[[cell and [f"{cell[1]:,}", f"{cell[0]:,}"] for cell in line] for line in cells],
        texttemplate="%{text}",
        hovertemplate="%{y}, %{x}<br>%{customdata[0]} of %{customdata[1]} parameters trained<extra></extra>",
        hoverongaps=False,
        colorscale=SHARE,
        zmin=0,
        zmax=1,
        xgap=6,
        ygap=3,
        showscale=False,
    )
    slanted = len(runs) > 4  # names beside each other would overlap on a narrow screen
    return draw(
        [heat],
        "Which parts of the model were trained, input at the bottom (number of parameters)",
        height=(100 if slanted else 60) + max(24 * len(names), 120),
        margin={"l": 104, "t": 72 if slanted else 30, "b": 8},
        xaxis={"type": "category", "side": "top", "showgrid": False, "ticks": "", "tickangle": -35 if slanted else 0},
        yaxis={"type": "category", "showgrid": False, "ticks": "", "dtick": 1},
    )


def _describe(parameters: int, trainable: int) -> str:
    if not parameters:
        return "none of its own"
    if trainable in (0, parameters):
        return f"{_short(parameters)} {'trained' if trainable else 'frozen'}"
    return f"{_short(trainable)} of {_short(parameters)} trained"


def _short(number: int) -> str:
    for size, unit in ((10**9, "B"), (10**6, "M"), (10**3, "k")):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return str(number)

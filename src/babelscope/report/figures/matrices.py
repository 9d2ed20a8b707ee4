"""Matrices of the page of neurons: languages by languages, or layers (upwards) by anything."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from babelscope.report.figures.style import DIVERGING, MUTED, SEQUENTIAL, clean, draw
from babelscope.report.figures.tokens import BAR, CATEGORIES
from babelscope.report.words import plain

MOST_TEXT = 12
"""Cells say their number up to so many columns."""


def draw_matrix(
    grid: pd.DataFrame,
    title: str,
    hover: str,
    *,
    notes: pd.DataFrame | None = None,
    colours: str = "",
    bound: float = 0.0,
    digits: str = "",
    axes: tuple[str, str] = ("", ""),
    diagonal: bool = False,
    down: bool = False,
) -> go.Figure:
    """Draw one matrix.

    Args:
        grid: rows x columns; NaN stay empty. Rows are layers (drawn upwards) if their axis is called "layer".
        title: head of the figure.
        hover: how a cell reads, with %{y}, %{x}, %{z} and, from `notes`, %{customdata}.
        notes: a text for every cell.
        colours: a scale of `SEQUENTIAL`, from 0; without one the scale has two sides and is pale at 0.
        bound: where the scale ends; the largest value without one.
        digits: plotly's format of the values, such as "+.2f", which has a digit more where all values are small.
        axes: names of the axis of the columns and of that of the rows.
        diagonal: whether to frame the cells of a language with itself.
        down: whether lower is better: blue is better, so the scale is turned round.
    """
    values = grid.to_numpy(dtype=float)
    bound = bound or largest(grid)
    digits = digits.replace(".2f", ".3f") if bound < 0.1 else digits
    side = {"colorscale": SEQUENTIAL[colours], "zmin": 0} if colours else {"colorscale": DIVERGING, "zmin": -bound}
    heat = go.Heatmap(
        z=[clean(line) for line in values],
        x=[plain(name) for name in grid.columns],
        y=[plain(name) for name in grid.index],
        customdata=None if notes is None else notes.to_numpy().tolist(),
        **side,
        reversescale=down,
        zmax=bound,
        xgap=1,
        ygap=1,
        hoverongaps=False,
        texttemplate=f"%{{z:{digits}}}" if values.shape[1] <= MOST_TEXT else None,
        hovertemplate=f"{hover}<extra></extra>",
        colorbar={**BAR, "tickformat": digits},
    )
    upwards = axes[1] == "layer"
    cell = 20 if upwards else 30 if len(grid) <= MOST_TEXT else 18
    coded = any("_" in str(name) for name in grid.columns)
    below = (64 if coded else 24) + (26 if axes[0] else 0)
    frames = [
        {
            "type": "rect",
            **{"x0": column - 0.5, "x1": column + 0.5, "y0": row - 0.5, "y1": row + 0.5},
            "line": {"color": MUTED, "width": 2},
        }
        for row, name in enumerate(grid.index)
        for column, other in enumerate(grid.columns)
        if diagonal and name == other
    ]
    return draw(
        [heat],
        plain(title),
        height=cell * max(len(grid), 8) + 8 + below,
        margin={"l": 50 if upwards else 86 if axes[1] else 74, "b": below},
        xaxis={**CATEGORIES, "tickangle": -60 if coded else 0, "title": {"text": axes[0]}},
        yaxis={
            **CATEGORIES,
            "title": {"text": axes[1]},
            "autorange": True if upwards else "reversed",
            "dtick": 1 if len(grid) <= 16 or not upwards else 4,
        },
        shapes=frames,
    )


def largest(*grids: pd.DataFrame) -> float:
    """The largest distance from 0 in any of the matrices, for a scale that they share."""
    values = np.concatenate([np.abs(grid.to_numpy(dtype=float)).ravel() for grid in grids])
    known = values[~np.isnan(values)]
    return float(known.max()) if len(known) and known.max() > 0 else 1.0

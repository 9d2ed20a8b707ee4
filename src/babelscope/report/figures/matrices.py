"""Matrices of the page of neurons: languages by languages, or layers (upwards) by anything."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from babelscope.report.figures.cells import tell_cells
from babelscope.report.figures.names import BESIDE_CELLS, aliases
from babelscope.report.figures.style import BAR, CATEGORIES, DIVERGING, MUTED, SEQUENTIAL, clean, draw
from babelscope.report.numbers import number
from babelscope.report.words import plain

MOST_TEXT = 12
"""Cells say their number up to so many columns."""
INK, PAPER = "#1d2430", "#ffffff"
"""Colours of these numbers, on pale and on dark cells of either theme."""
DARK = 0.216
"""The relative luminance (WCAG 2) below which the second has the higher contrast."""


def draw_matrix(
    grid: pd.DataFrame,
    title: str,
    hover: str,
    *,
    notes: pd.DataFrame | None = None,
    texts: pd.DataFrame | None = None,
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
        hover: how a cell reads, with %{y}, %{x}, %{z} (in ".3f" with more digits where all values are small) and, from
            `notes`, %{customdata}.
        notes: a text for every cell.
        texts: what stands in the cells, instead of their values.
        colours: a scale of `SEQUENTIAL`, from 0; without one the scale has two sides and is pale at 0.
        bound: where the scale ends; the largest value without one.
        digits: format of the values, such as "+.2f", which has more digits where all values are small; "" for none.
        axes: names of the axis of the columns and of that of the rows.
        diagonal: whether to frame the cells of a language with itself.
        down: whether lower is better: blue is better, so the scale is turned round.
    """
    values = grid.to_numpy(dtype=float)
    bound = bound or largest(grid)
    more = 2 if bound < 0.01 else 1 if bound < 0.1 else 0
    digits, hover = digits.replace(".2f", f".{2 + more}f"), hover.replace(".3f", f".{3 + more}f")
    if texts is None and digits:
        texts = grid.map(lambda value: number(value, digits))
    colorscale, start = (SEQUENTIAL[colours], 0.0) if colours else (DIVERGING, -bound)
    scale = {"colorscale": colorscale, "zmin": start, "zmax": bound, "reversescale": down}
    names = {"x": [plain(name) for name in grid.columns], "y": [plain(name) for name in grid.index]}
    heat = go.Heatmap(
        z=[clean(line) for line in values],
        **names,
        customdata=None if notes is None else notes.to_numpy().tolist(),
        **scale,
        xgap=1,
        ygap=1,
        hoverongaps=False,
        **tell_cells(hover, values, grid.index, grid.columns),
        colorbar={**BAR, "tickformat": digits.removeprefix("+")},
    )
    told = [] if texts is None or values.shape[1] > MOST_TEXT else _tell(values, texts, names, scale)
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
        [heat, *told],
        plain(title),
        height=cell * max(len(grid), 8) + 8 + below,
        margin={"l": 50 if upwards else 86 if axes[1] else 74, "b": below},
        xaxis={
            **CATEGORIES,
            "tickangle": -60 if coded else 0,
            "title": {"text": axes[0]},
            "labelalias": aliases(grid.columns, BESIDE_CELLS),
        },
        yaxis={
            **CATEGORIES,
            "title": {"text": axes[1]},
            "labelalias": aliases(grid.index, BESIDE_CELLS),
            "autorange": True if upwards else "reversed",
            "dtick": 1 if len(grid) <= 16 or not upwards else 4,
        },
        shapes=frames,
    )


def _tell(
    values: np.ndarray, texts: pd.DataFrame, names: Mapping[str, list[str]], scale: Mapping[str, Any]
) -> list[go.Heatmap]:
    """Write texts into cells: plotly gives all texts of a trace one colour, so pale and dark cells have one each."""
    dark, known = _are_dark(values, scale), ~np.isnan(values)
    clear = [[0, "rgba(0,0,0,0)"], [1, "rgba(0,0,0,0)"]]
    return [
        go.Heatmap(
            z=[clean(line) for line in np.where(cells, values, np.nan)],
            **names,
            text=np.where(cells, texts.to_numpy(), "").tolist(),  # plotly writes into cells without a value too
            texttemplate="%{text}",
            textfont={"color": colour},
            colorscale=clear,
            showscale=False,
            hoverinfo="skip",
        )
        for cells, colour in ((known & ~dark, INK), (known & dark, PAPER))
        if cells.any()
    ]


def _are_dark(values: np.ndarray, scale: Mapping[str, Any]) -> np.ndarray:
    """Whether the colour of a cell is dark; a cell without a value is not."""
    share = np.clip((values - scale["zmin"]) / (scale["zmax"] - scale["zmin"]), 0, 1)
    share = 1 - share if scale["reversescale"] else share
    places, colours = zip(*scale["colorscale"], strict=True)
    channels = [[int(colour[start : start + 2], 16) / 255 for colour in colours] for start in (1, 3, 5)]
    rgb = np.stack([np.interp(share, places, channel) for channel in channels], axis=-1)
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return linear @ np.array([0.2126, 0.7152, 0.0722]) < DARK


def largest(*grids: pd.DataFrame) -> float:
    """The largest distance from 0 in any of the matrices, for a scale that they share."""
    values = np.concatenate([np.abs(grid.to_numpy(dtype=float)).ravel() for grid in grids])
    known = values[~np.isnan(values)]
    return float(known.max()) if len(known) and known.max() > 0 else 1.0

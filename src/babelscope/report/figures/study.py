"""A study in pictures: layers over steps with bands, and every language in every setting."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from babelscope.report.figures.cells import tell_cells, write_cells
from babelscope.report.figures.marks import mark_of
from babelscope.report.figures.names import BESIDE_BARS, aliases, shorten
from babelscope.report.figures.style import (
    BAR,
    DIVERGING,
    MUTED,
    SEQUENTIAL,
    clean,
    depth_colours,
    draw,
    rgba,
    sketch,
)
from babelscope.report.numbers import plus_minus
from babelscope.report.table import sort_layers
from babelscope.report.words import plain, words_of


def draw_layer_curves(curves: pd.DataFrame, metric: str, setting: str, limits: tuple[float, float]) -> dict[str, Any]:
    """Draw every layer of one setting over the steps, with a band over the units.

    Args:
        curves: the setting's layer, step, mean, half, n.
        metric: the score.
        setting: its name, for the head.
        limits: of the y axis, the same in all settings.
    """
    layers = sort_layers(curves["layer"].unique())
    numbered = [layer for layer in layers if layer.isdecimal()]
    colours = {**dict(zip(numbered, depth_colours(len(numbered)), strict=True)), "final": MUTED}
    traces, lines = [], dict(iter(curves.sort_values("step").groupby("layer")))
    for layer in layers:
        traces += _band(
            lines[layer], colours.get(layer, MUTED), f"layer {layer}", dash="dot" if layer == "final" else "solid"
        )
    return sketch(traces, plain(setting), height=250, **_axes(metric, limits))


def draw_setting_curves(
    curves: Mapping[str, pd.DataFrame],
    metric: str,
    part: str,
    limits: tuple[float, float],
    *,
    null: pd.Series | None = None,
) -> dict[str, Any]:
    """Draw one third of the depth over the steps, one line with its band per setting (step, mean, half, n).

    Args:
        curves: the lines by setting.
        metric: the score.
        part: the third, for the head.
        limits: of the y axis, the same for all thirds.
        null: what chance gives by step, dashed; it is left out where it lies below the picture.
    """
    traces = []
    if null is not None and len(null) and limits[0] <= float(null.min()) <= limits[1]:
        dashed = {"color": MUTED, "width": 1.5, "dash": "dash"}
        chance = {"type": "scatter", "x": null.index.tolist(), "y": clean(null), "mode": "lines", "line": dashed}
        traces.append(chance | {"hovertemplate": "chance, step %{x}: %{y:.3f}<extra></extra>"})
    for place, (setting, line) in enumerate(curves.items()):
        if len(line):
            mark = mark_of(place)
            traces += _band(line.sort_values("step"), mark.colour, setting, mark.symbol)
    return sketch(traces, f"{part.capitalize()} layers", height=330, **_axes(metric, limits))


def draw_transfer_map(grid: pd.DataFrame, score: str, own: str, *, change: bool = False) -> go.Figure:
    """Draw the test score of every language (rows) in every setting (columns), the source language apart at the top.

    Args:
        grid: language x setting, the row "" for the source language.
        score: what the task is scored by, such as "accuracy".
        own: what the row of the source language is called.
        change: whether the grid holds differences to the setting none.
    """
    down = score == "loss"
    others = grid.drop(index="", errors="ignore")
    others = others.loc[others.mean(axis=1).sort_values(ascending=down, kind="stable").index]
    names, ticks = [str(name) for name in others.index], aliases(others.index, BESIDE_BARS)
    cells = others.to_numpy(dtype=float)
    if "" in grid.index:  # with an empty row below
        names = [own, " ", *names]
        cells = np.vstack([grid.loc[[""]].to_numpy(dtype=float), np.full((1, grid.shape[1]), np.nan), cells])
        ticks[plain(own)] = f"<b>{plain(shorten(own, BESIDE_BARS))}</b>"
    if change:
        bound = max(0.02, float(others.abs().max().max()))
        # blue is better in every score
        colours = {"colorscale": DIVERGING, "zmin": -bound, "zmax": bound, "reversescale": down}
    else:
        colours = {"colorscale": SEQUENTIAL["alignment"], "reversescale": down}
    sign = "+" if change else ""
    heat = go.Heatmap(
        z=[clean(line) for line in cells],
        x=[plain(name) for name in grid.columns],
        y=[plain(name) for name in names],
        xgap=2,
        ygap=2,
        hoverongaps=False,
        **({"text": write_cells(cells, f"{sign}.2f"), "texttemplate": "%{text}"} if grid.shape[1] <= 12 else {}),
        **tell_cells(f"%{{y}}, %{{x}}<br>{score} %{{z:{sign}.3f}}", cells, names, grid.columns, most=BESIDE_BARS),
        colorbar=BAR,
        **colours,
    )
    return draw(
        [heat],
        f"Test {score} by language and setting{', difference to none' if change else ''}",
        height=150 + 20 * len(names),
        margin={"l": 132, "t": 8, "b": 84},
        xaxis={"type": "category", "showgrid": False, "ticks": "", "tickangle": -40},
        yaxis={
            "type": "category",
            "autorange": "reversed",
            "showgrid": False,
            "dtick": 1,
            "ticks": "",
            "labelalias": ticks,
        },
    )


def _band(line: pd.DataFrame, colour: str, name: str, symbol: str = "circle", dash: str = "solid") -> list[dict]:
    steps = line["step"].tolist()
    mean, halves, n = (line[column].to_numpy() for column in ("mean", "half", "n"))  # tables by the thousand are slow
    traces = []  # plain mappings: hundreds of checked plotly objects would slow the page
    if not np.isnan(halves).all():  # one unit has no band
        half = np.nan_to_num(halves)
        traces.append(
            {
                "type": "scatter",
                "x": steps + steps[::-1],
                "y": clean([*(mean - half), *(mean + half)[::-1]]),
                "mode": "lines",
                "fill": "toself",
                "fillcolor": rgba(colour, 0.16),
                "line": {"width": 0},
                "hoverinfo": "skip",
            }
        )
    tail = [f"{plus_minus(half)} (n = {count})".lstrip() for half, count in zip(halves, n, strict=True)]
    traces.append(
        {
            "type": "scatter",
            "x": steps,
            "y": clean(mean),
            "mode": "lines+markers",
            "line": {"color": colour, "width": 2, "dash": dash},
            "marker": {"symbol": symbol, "size": 5},
            "text": tail,
            "hovertemplate": f"{plain(name)}, step %{{x}}: %{{y:.3f}} %{{text}}<extra></extra>",
        }
    )
    return traces


def _axes(metric: str, limits: tuple[float, float]) -> dict:
    return {
        "xaxis": {"title": {"text": "training steps"}, "showgrid": False, "nticks": 5},
        "yaxis": {"title": {"text": plain(words_of(metric).name)}, "range": list(limits)},
    }


def limits_of(curves: Sequence[pd.DataFrame]) -> tuple[float, float]:
    """Find limits of a y axis that hold all lines and bands."""
    low = min(float((line["mean"] - line["half"].fillna(0)).min()) for line in curves if len(line))
    high = max(float((line["mean"] + line["half"].fillna(0)).max()) for line in curves if len(line))
    room = 0.05 * (high - low) or 0.05
    return low - room, high + room

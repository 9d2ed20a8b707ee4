"""The freezing frontier: every setting by what it keeps and by how it transfers."""

from typing import Any

import numpy as np
import pandas as pd

from babelscope.report.figures.style import ACCENT, MUTED, SEQUENTIAL, clean, level, sketch
from babelscope.report.numbers import number, plus_minus
from babelscope.report.words import plain


def best_of_both(x: pd.Series, y: pd.Series) -> list[str]:
    """List what no other is better than in both at once (higher is better), by rising x: the Pareto-optimal ones."""
    known = pd.DataFrame({"x": x, "y": y}).dropna().sort_values(["x", "y"])
    points = known.to_numpy()
    as_good = np.all(points[None, :, :] >= points[:, None, :], axis=2)
    better = np.any(points[None, :, :] > points[:, None, :], axis=2)
    return [str(name) for name in known.index[~np.any(as_good & better, axis=1)]]


def draw_frontier(
    points: pd.DataFrame,
    best: list[str],
    *,
    x_title: str,
    y_title: str,
    colour_title: str,
    flip_x: bool = False,
    flip_y: bool = False,
    flip_colour: bool = False,
) -> dict[str, Any]:
    """Draw the settings with their 95 % intervals; the page sets their names beside them, where there is room.

    Args:
        points: by setting the columns x, x_half, y, y_half, n, and colour.
        best: Pareto-optimal settings, ringed and joined by a line.
        x_title: what x is.
        y_title: what y is.
        colour_title: what the colour is.
        flip_x: whether lower is better, so that better is right all the same.
        flip_y: whether lower is better, so that better is up.
        flip_colour: whether lower is better, so that better is darker.
    """
    points = points.dropna(subset=["x", "y"])
    line, coloured = points.loc[best], bool(points["colour"].notna().all())
    ringed = [name in best for name in points.index]
    joined = {
        "type": "scatter",
        "x": clean(line["x"]),
        "y": clean(line["y"]),
        "mode": "lines",
        "line": {"color": ACCENT, "width": 2, "dash": "dot"},
        "hoverinfo": "skip",
    }
    marks = {
        "type": "scatter",
        "x": clean(points["x"]),
        "y": clean(points["y"]),
        "error_x": _bar(points["x_half"]),
        "error_y": _bar(points["y_half"]),
        "mode": "markers",
        "marker": {
            "size": [19 if ring else 14 for ring in ringed],
            "symbol": ["diamond" if name == "none" else "circle" for name in points.index],
            "color": clean(points["colour"]) if coloured else MUTED,
            **(_colour_bounds(clean(points["colour"])) if coloured else {}),
            "colorscale": SEQUENTIAL["other"],
            "reversescale": flip_colour,
            "showscale": coloured,
            "opacity": 1,
            "line": {
                "width": [3.5 if ring else 1.5 for ring in ringed],
                "color": [ACCENT if r else MUTED for r in ringed],
            },
            "colorbar": {
                "title": {"text": plain(colour_title), "side": "right"},
                "thickness": 8,
                "outlinewidth": 0,
                "len": 0.9,
                "nticks": 5,
                "tickformat": ".3~g",
            },
        },
        "text": [plain(name) for name in points.index],
        "customdata": [
            [plus_minus(x), plus_minus(y), number(colour), f"{n:.0f}"]
            for x, y, colour, n in zip(points["x_half"], points["y_half"], points["colour"], points["n"], strict=True)
        ],
        "hovertemplate": f"<b>%{{text}}</b><br>{plain(x_title)} %{{x:.3f}} %{{customdata[0]}}<br>{plain(y_title)} "
        f"%{{y:.3f}} %{{customdata[1]}}<br>{plain(colour_title)} %{{customdata[2]}}<br>n = %{{customdata[3]}}"
        "<extra></extra>",
        "meta": "labelled",
    }
    x_range, y_range = (_range(points, axis, flip) for axis, flip in (("x", flip_x), ("y", flip_y)))
    shapes = [level(0, dash="dash")] if min(y_range) < 0 < max(y_range) else []
    return sketch(
        [joined, marks],
        f"{plain(y_title[:1].upper() + y_title[1:])} against {plain(x_title)}, every setting",
        height=500,
        margin={"l": 66, "r": 8, "b": 52},
        xaxis={
            "title": {"text": f"{plain(x_title)}{' (axis reversed: lower is better)' if flip_x else ''}"},
            "range": x_range,
        },
        yaxis={"title": {"text": plain(y_title)}, "range": y_range},
        shapes=shapes,
    )


def _colour_bounds(scores: list[Any]) -> dict[str, float]:
    """Bound the colours where all are equal: plotly takes 0.5 to either side, beyond any accuracy."""
    low, high = min(scores), max(scores)
    if low < high:
        return {}
    return {"cmin": max(low - 0.05, 0.0), "cmax": min(high + 0.05, 1.0) if high <= 1 else high + 0.05}


def _bar(halves: pd.Series) -> dict:
    # a setting with one run has no bar at all, rather than one of no length
    return {
        "type": "data",
        "array": clean(halves),
        "color": MUTED,
        "thickness": 1.2,
        "width": 4,
        "visible": bool(halves.notna().any()),
    }


def _range(points: pd.DataFrame, axis: str, flip: bool) -> list[float]:
    half = points[f"{axis}_half"].fillna(0)
    low, high = float((points[axis] - half).min()), float((points[axis] + half).max())
    if axis == "y":  # 0 is what keeps everything: it is in the picture
        low, high = min(low, 0.0), max(high, 0.0)
    room = 0.09 * (high - low) or 0.05
    return [high + room, low - room] if flip else [low - room, high + room]

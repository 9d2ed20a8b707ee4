"""Paired differences: every setting against `none`, seed by seed, with the mean and its interval."""

import pandas as pd
import plotly.graph_objects as go

from babelscope.report.figures.style import MUTED, STRONG, clean, draw, upright
from babelscope.report.numbers import plus_minus
from babelscope.report.runs import counted
from babelscope.report.words import plain


def draw_differences(
    pairs: pd.DataFrame, table: pd.DataFrame, title: str, axis: str, *, flip: bool = False
) -> go.Figure:
    """Draw the differences of one quantity, settings as rows.

    Args:
        pairs: setting, seed, value: one difference per seed (a small mark).
        table: setting, mean, half, n: a large mark with its interval.
        title: what is compared.
        axis: what the axis counts.
        flip: whether lower is better, so that better is right all the same.
    """
    names = [plain(name) for name in table["setting"]]
    units = go.Scatter(
        x=clean(pairs["value"]),
        y=[plain(name) for name in pairs["setting"]],
        mode="markers",
        marker={"size": 6, "color": MUTED, "opacity": 0.6},
        text=[f"seed {plain(seed)}" for seed in pairs["seed"]],
        hovertemplate="%{y}, %{text}: %{x:+.3f}<extra></extra>",
    )
    means = go.Scatter(
        x=clean(table["mean"]),
        y=names,
        mode="markers",
        error_x={
            "type": "data",
            "array": clean(table["half"]),
            "color": STRONG,
            "thickness": 2.5,
            "width": 6,
            "visible": bool(table["half"].notna().any()),
        },
        marker={"size": 11, "color": STRONG, "symbol": "diamond"},
        text=[
            f"{plus_minus(half) or 'no interval'}, {counted(n, 'seed')}"
            for half, n in zip(table["half"], table["n"], strict=True)
        ],
        hovertemplate="<b>%{y}</b><br>%{x:+.3f} (%{text})<extra></extra>",
    )
    half = table["half"].fillna(0)
    low = min(0.0, float(pairs["value"].min()), float((table["mean"] - half).min()))
    high = max(0.0, float(pairs["value"].max()), float((table["mean"] + half).max()))
    room = 0.06 * (high - low) or 0.05
    span = [high + room, low - room] if flip else [low - room, high + room]
    return draw(
        [units, means],
        plain(title),
        height=80 + 34 * len(names),
        margin={"l": 104},
        xaxis={"title": {"text": plain(axis)}, "range": span},
        yaxis={"type": "category", "categoryorder": "array", "categoryarray": names[::-1], "ticks": "", "dtick": 1},
        shapes=[upright(0, width=1.5)],
    )

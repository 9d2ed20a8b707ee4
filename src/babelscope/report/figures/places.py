"""Where regions lie: the share of every language's neurons in the early, middle and last third of the blocks."""

from math import isnan
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from babelscope.report.figures.names import BESIDE_CELLS, shorten
from babelscope.report.figures.style import MUTED, STRONG, draw
from babelscope.report.neurons.summary import by_language, criterion_label, model_value
from babelscope.report.table import THIRDS, Run
from babelscope.report.words import plain

BINS = 24
"""Shares that fall into one of so many parts of the axis stand side by side."""
APART, WIDEST = 0.05, 0.7
"""Widths between marks, and of all marks in one third of the figure."""
MOST_NAMED = 2
"""Languages named in a third, the furthest first."""
HEIGHT, TOP, BOTTOM = 330, 36, 44
LOWEST, HIGHEST = -0.06, 1.08
"""Ends of the axis, in parts of the largest share."""
LINE = 13
"""Pixels that a name takes in height."""


def draw_places(run: Run, criterion: str) -> go.Figure:
    """Draw how much of every language's region lies in early, middle and last blocks, beside what lies there at all.

    Languages are alike, but those far from all others are named (beyond Tukey's fences).
    """
    thirds = [f"{third} third" for third in THIRDS]
    values = pd.DataFrame({third: by_language(run, f"{criterion}_share_{third}") for third in THIRDS})
    mean = [model_value(run, f"{criterion}_share_{third}") for third in THIRDS]
    null = [model_value(run, f"{criterion}_share_{third}_null") for third in THIRDS]
    known = [share for share in [*values.to_numpy(dtype=float).ravel().tolist(), *null] if not isnan(share)]
    top = max(known, default=1.0) or 1.0
    shares = [values[third].dropna() for third in values.columns]
    across = [_across(of_third, top) for of_third in shares]
    traces = [
        *(_marks(of_third, place + aside) for place, (of_third, aside) in enumerate(zip(shares, across, strict=True))),
        _levels("mean of languages", mean, STRONG, "solid"),
        _levels("all neurons", null, MUTED, "dash"),
    ]
    return draw(
        traces,
        f"Neurons of a language by {criterion_label(criterion)}, by depth (share of the language's own)",
        height=HEIGHT,
        margin={"r": 76, "t": TOP, "b": BOTTOM},
        showlegend=True,
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        xaxis={"tickvals": list(range(len(thirds))), "ticktext": thirds, "showgrid": False, "range": [-0.5, 2.5]},
        yaxis={"tickformat": ".0%", "range": [LOWEST * top, HIGHEST * top]},
        annotations=[
            note
            for place, (of_third, aside) in enumerate(zip(shares, across, strict=True))
            for note in _names(of_third, place + aside, top)
        ],
    )


def _across(shares: pd.Series, top: float) -> pd.Series:
    """How far beside the middle every mark stands: those at about the same height stand side by side."""
    bins = (shares / top * BINS).round()
    crowd = bins.map(bins.value_counts())
    apart = (WIDEST / crowd).clip(upper=APART)
    return (bins.groupby(bins).cumcount() - (crowd - 1) / 2) * apart


def _marks(shares: pd.Series, x: pd.Series) -> go.Scatter:
    """One mark per language."""
    return go.Scatter(
        x=x.round(3).tolist(),
        y=shares.round(4).tolist(),
        mode="markers",
        marker={"size": 8, "color": MUTED, "opacity": 0.65},
        customdata=[plain(code) for code in shares.index],
        cliponaxis=False,
        showlegend=False,
        hovertemplate="%{customdata}: %{y:.1%}<extra></extra>",
    )


def _names(shares: pd.Series, x: pd.Series, top: float) -> list[dict[str, Any]]:
    """Name the languages far from all others, each right of all marks at its height and below the name above it."""
    pixels = (HEIGHT - TOP - BOTTOM) / ((HIGHEST - LOWEST) * top)
    notes: list[dict[str, Any]] = []
    above = float("inf")
    for code in shares[sorted(_outliers(shares))].sort_values(ascending=False, kind="stable").index:
        y = above = min(float(shares[code]), above - LINE / pixels)
        beside = x[(shares - y).abs() * pixels <= LINE]
        notes.append(
            {
                "text": plain(shorten(code, BESIDE_CELLS)),
                "x": round(max([*beside, x[code]]), 3),
                "y": y,
                "xanchor": "left",
                "xshift": 5,
                "font": {"size": 10},
                "showarrow": False,
            }
        )
    return notes


def _outliers(shares: pd.Series) -> set[str]:
    """The languages furthest beyond Tukey's fences."""
    low, high = (float(shares.quantile(share)) for share in (0.25, 0.75))
    centre, half = (low + high) / 2, (high - low) / 2
    beyond = ((shares - centre).abs() - 4 * half).sort_values()  # the fences lie 1.5 (high - low) beyond both quartiles
    return set(beyond[beyond > 0].index[-MOST_NAMED:])


def _levels(name: str, shares: list[float], colour: str, dash: str) -> go.Scatter:
    """A level stroke in every third."""
    strokes = [((third - 0.38, third + 0.38, None), (share, share, None)) for third, share in enumerate(shares)]
    return go.Scatter(
        x=[x for across, _ in strokes for x in across],
        y=[None if y is None or isnan(y) else y for _, level in strokes for y in level],
        mode="lines",
        name=name,
        showlegend=True,
        line={"color": colour, "width": 3 if dash == "solid" else 2, "dash": dash},
        hovertemplate=f"{name}: %{{y:.1%}}<extra></extra>",
    )

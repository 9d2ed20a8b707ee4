"""Pairs of token tables: the scripts of the tokens that both have, and the angles between the two."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from babelscope.report.figures.marks import mark_of
from babelscope.report.figures.style import CATEGORIES, clean, draw
from babelscope.report.table import Run
from babelscope.report.words import plain

MOST_SCRIPTS = 24
"""Scripts that a figure has room for; the most frequent ones."""


def draw_shared(run: Run, pairs: Sequence[tuple[str, str]]) -> go.Figure | None:
    """Draw which scripts the shared tokens of every pair of tables have, the most frequent first."""
    rows = run.rows[run.rows["metric"] == "shared_script_share"]
    shares = {
        (a, b): pd.Series(own["value"].to_numpy(), index=own["language"])
        for a, b in pairs
        if len(own := rows[rows["other"] == f"{a}|{b}"])
    }
    if not shares:
        return None
    means = pd.DataFrame(shares).fillna(0).mean(axis=1)
    scripts = list(means[means > 0].sort_values(ascending=False, kind="stable").index)[:MOST_SCRIPTS]
    traces = [
        go.Bar(
            x=[plain(script) for script in scripts],
            y=clean(values.reindex(scripts).fillna(0)),
            name=plain(f"{a} x {b}"),
            marker={"color": mark_of(pairs.index((a, b))).colour},
            hovertemplate=f"{plain(a)} x {plain(b)}: %{{y:.1%}} of the shared tokens are %{{x}}<extra></extra>",
        )
        for (a, b), values in shares.items()
    ]
    return draw(
        traces,
        "Scripts of the tokens that both tables have (share of these tokens)",
        height=330,
        showlegend=True,
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        margin={"t": 40},
        barmode="group",
        xaxis={**CATEGORIES, "tickfont": {"size": 12}},
        yaxis={"tickformat": ".0%", "rangemode": "tozero"},
    )


def draw_angles(run: Run, pairs: Sequence[tuple[str, str]]) -> go.Figure | None:
    """Draw the cosines of all canonical angles of every pair of tables, with what random tables give first."""
    traces: list[Any] = []
    for place, (a, b) in enumerate(pairs):
        rows = run.rows[(run.rows["language"] == a) & (run.rows["other"] == b)]
        colour = mark_of(place).colour
        for centred, dash in (("", "solid"), ("_centred", "dot")):
            of = rows[rows["metric"].str.startswith(f"angle_cosine{centred}/")].sort_values("metric")
            if of.empty:
                continue
            traces.append(
                go.Scatter(
                    x=list(range(1, len(of) + 1)),
                    y=clean(of["value"]),
                    name=plain(f"{a} x {b}{', centred' if centred else ''}"),
                    mode="lines",
                    line={"color": colour, "width": 2, "dash": dash},
                    hovertemplate=f"{plain(a)} x {plain(b)}, angle %{{x}}: %{{y:.3f}}<extra></extra>",
                )
            )
        null = rows.loc[rows["metric"] == "angle_first_null", "value"]
        if len(null):
            first = {"x": [1], "y": clean(null), "mode": "markers", "name": "first angle by chance"}
            mark = {"symbol": "x-thin-open", "size": 11, "color": colour, "line": {"width": 2}}
            traces.append(
                go.Scatter(**first, marker=mark, showlegend=place == 0, hovertemplate="%{y:.3f}<extra></extra>")
            )
    if not traces:
        return None
    return draw(
        traces,
        "Cosines of the canonical angles between the column spaces of shared tokens",
        height=420,
        showlegend=True,
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        xaxis={"title": {"text": "angle"}, "showgrid": False},
        yaxis={"range": [0, 1.02]},
    )

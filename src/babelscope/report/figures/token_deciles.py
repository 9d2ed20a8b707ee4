"""Token tables: how many scripts are among the neighbours of rare and of frequent tokens."""

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go

from babelscope.report.figures.marks import mark_of
from babelscope.report.figures.style import clean, draw, level
from babelscope.report.table import Run
from babelscope.report.tokens.summary import names_of, value_of
from babelscope.report.words import plain


def draw_deciles(runs: Sequence[Run], k: int) -> go.Figure | None:
    """Draw the mean number of scripts among k neighbours by decile of frequency, after that of tokens never seen."""
    traces, shapes = [], []
    for place, (name, run) in enumerate(zip(names_of(runs), runs, strict=True)):
        rows = run.rows[run.rows["metric"] == f"neighbour_scripts_decile@{k}"]
        if rows.empty:
            continue
        means = pd.Series(rows["value"].to_numpy(), index=rows["other"].astype(int)).sort_index()
        unseen = value_of(run, f"neighbour_scripts_unseen@{k}")
        colour, symbol = mark_of(place)
        traces.append(
            go.Scatter(
                x=list(means.index),
                y=clean(means),
                name=plain(name),
                mode="lines+markers",
                line={"color": colour, "width": 2},
                marker={"symbol": symbol, "size": 7},
                hovertemplate=f"{plain(name)}, tenth %{{x}}: %{{y:.2f}} scripts<extra></extra>",
            )
        )
        if unseen is not None:
            traces.append(
                go.Scatter(
                    x=[0],
                    y=clean([unseen]),
                    mode="markers",
                    marker={"symbol": f"{symbol}-open", "size": 9, "color": colour},
                    showlegend=False,
                    hovertemplate=f"{plain(name)}, tokens that do not occur: %{{y:.2f}} scripts<extra></extra>",
                )
            )
        for metric, dash in (("neighbour_scripts", "solid"), ("neighbour_scripts_null", "dash")):
            if (value := value_of(run, f"{metric}@{k}")) is not None:
                shapes.append(level(value, color=colour, dash=dash))
    if not traces:
        return None
    return draw(
        traces,
        f"Scripts among the {k} nearest tokens, by frequency; thin line: mean of all; dashed: random neighbours",
        height=330,
        showlegend=sum(trace.showlegend is not False for trace in traces) > 1,
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        margin={"t": 40},
        shapes=shapes,
        xaxis={
            "title": {"text": "tenth of the tokens by frequency: 1 rarest, 10 most frequent; 0: not seen"},
            "dtick": 1,
        },
        yaxis={"title": {"text": "number of scripts"}, "rangemode": "tozero"},
    )

"""Several runs beside each other: how early, middle and last layers went, and where two runs differ."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from babelscope.report.figures.cells import tell_cells, write_cells
from babelscope.report.figures.marks import mark_of
from babelscope.report.figures.style import BAR, DIVERGING, MUTED, clean, draw, layers_by_steps, moments
from babelscope.report.summary import by_layer, by_third
from babelscope.report.table import sort_layers
from babelscope.report.words import plain, words_of

ALIKE = 0.005
"""Values of chance that are no further apart are one, beside what they spread over the steps of either run."""


def draw_third(rows: pd.DataFrame, metric: str, third: str) -> go.Figure:
    """Draw one metric's mean over the early, middle or last layers against the steps, one line per run."""
    words, values = words_of(metric), by_third(rows, metric)
    here, places = values[values["third"] == third], {run: place for place, run in enumerate(rows["run"].unique())}
    traces, nulls = [], null_lines(rows, metric, third)
    for runs, null in nulls:
        colour = MUTED if len(nulls) == 1 else mark_of(places[runs[0]]).colour
        whose = "" if len(nulls) == 1 else f" for {plain(', '.join(runs))}"
        traces.append(
            go.Scatter(
                x=null.index.tolist(),
                y=clean(null),
                mode="lines",
                line={"color": colour, "width": 1.5, "dash": "dash"},
                hovertemplate=f"chance{whose}, step %{{x}}: %{{y:.3f}}<extra></extra>",
            )
        )
    for run, place in places.items():
        line, mark = here[here["run"] == run], mark_of(place)
        traces.append(
            go.Scatter(
                x=line["step"].tolist(),
                y=clean(line["value"]),
                mode="lines+markers",
                line={"color": mark.colour, "width": 2.5},
                marker={"symbol": mark.symbol, "size": 7},
                hovertemplate=f"{plain(run)}, step %{{x}}: %{{y:.3f}}<extra></extra>",
            )
        )
    limits = {"range": [-0.02, 1.04]} if words.unit_interval else {}
    return draw(
        traces,
        f"{third.capitalize()} layers",
        height=270,
        xaxis={"title": {"text": "training steps"}, "showgrid": False, "nticks": 5},
        yaxis={"title": {"text": plain(words.name)}, **limits},
    )


def null_lines(rows: pd.DataFrame, metric: str, third: str) -> list[tuple[list[str], pd.Series]]:
    """Group the runs by what chance gives a metric over a third of their layers: their names, and one line by step."""
    null = by_third(rows, words_of(metric).null)
    by_run = null[null["third"] == third].pivot_table(index="step", columns="run", values="value")
    means, spreads = by_run.mean(), by_run.std().fillna(0)
    groups: list[list[str]] = []
    for run in [run for run in rows["run"].unique() if run in by_run]:
        for group in groups:
            if abs(means[group[0]] - means[run]) <= ALIKE + spreads[group[0]] + spreads[run]:
                group.append(run)
                break
        else:
            groups.append([run])
    # runs need not be measured at the same steps: each keeps its value until the next, or the mean would jump
    return [(group, by_run[group].dropna(how="all").ffill().bfill().mean(axis=1)) for group in groups]


def draw_difference(rows: pd.DataFrame, metric: str, run: str, base: str) -> go.Figure | None:
    """Draw one metric of `run` minus `base`, layers by steps that both measured; None where they share none."""
    words, values = words_of(metric), by_layer(rows, metric)
    grids = {
        name: values[values["run"] == name].pivot(index="layer", columns="step", values="value") for name in (run, base)
    }
    shared = grids[run].sub(grids[base]).dropna(how="all").dropna(how="all", axis=1)
    if shared.empty:
        return None
    shared = shared.reindex(sort_layers(shared.index))
    counted, names = moments(rows[rows["run"] == run])
    cells, moment_names = shared.to_numpy(dtype=float), [names[int(step)] for step in shared.columns]
    bound = max(0.05, float(np.nanmax(np.abs(cells))))
    heat = go.Heatmap(
        z=[clean(line) for line in cells],
        x=moment_names,
        y=list(shared.index),
        xgap=2,
        ygap=2,
        **({"text": write_cells(cells, "+.2f"), "texttemplate": "%{text}"} if shared.shape[1] <= 10 else {}),
        **tell_cells(
            f"layer %{{y}}, {counted}: %{{x}}<br>{plain(words.name)} %{{z:+.3f}}", cells, shared.index, moment_names
        ),
        colorscale=DIVERGING,
        zmin=-bound,
        zmax=bound,
        colorbar=BAR,
    )
    return draw(
        [heat],
        f"{plain(words.name)} of {plain(run)} minus {plain(words.name)} of {plain(base)}",
        **layers_by_steps(len(shared), counted),
    )

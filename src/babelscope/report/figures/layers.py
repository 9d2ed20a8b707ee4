"""One run, layer by layer: heat maps over steps, and curves of every language over the layers."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from babelscope.report.figures.cells import tell_cells, write_cells
from babelscope.report.figures.names import BESIDE_BARS, shorten
from babelscope.report.figures.style import (
    ACCENT,
    BAR,
    DIVERGING,
    MUTED,
    SEQUENTIAL,
    STRONG,
    clean,
    draw,
    end_labels,
    layers_by_steps,
    moments,
    rgba,
)
from babelscope.report.summary import by_layer
from babelscope.report.table import sort_layers
from babelscope.report.words import plain, words_of


def draw_heat_map(rows: pd.DataFrame, metric: str, *, change: bool = False) -> go.Figure:
    """Draw one metric of one run, layers (up) by steps (right); `change` shows the difference to the first step."""
    words = words_of(metric)
    values = by_layer(rows, metric)
    counted, names = moments(rows)
    layers = sort_layers(values["layer"].unique())
    grid = values.pivot(index="layer", columns="step", values="value").reindex(layers)
    if change:
        grid = grid.sub(grid.iloc[:, 0], axis=0)
        bound = max(0.05, float(np.nanmax(np.abs(grid.to_numpy()))))
        colours = {"colorscale": DIVERGING, "zmin": -bound, "zmax": bound}
    else:
        limits = {"zmin": 0, "zmax": 1} if words.unit_interval else {}
        colours = {"colorscale": SEQUENTIAL[words.kind], **limits}
    moment_names = [names[int(step)] for step in grid.columns]
    sign, cells = "+" if change else "", grid.to_numpy(dtype=float)
    hover = f"layer %{{y}}, {counted}: %{{x}}<br>{plain(words.name)} %{{z:{sign}.3f}}"
    heat = go.Heatmap(
        z=[clean(line) for line in cells],
        x=moment_names,
        y=layers,
        xgap=2,
        ygap=2,
        **({"text": write_cells(cells, f"{sign}.2f"), "texttemplate": "%{text}"} if grid.shape[1] <= 10 else {}),
        **tell_cells(hover, cells, layers, moment_names),
        colorbar=BAR,
        **colours,
    )
    title = f"{words.title}: change since the first measurement" if change else words.title
    return draw(
        [heat],
        plain(title),
        **layers_by_steps(len(layers), counted),
    )


def draw_curves(rows: pd.DataFrame, metric: str, step: int, *, source: str = "") -> go.Figure:
    """Draw one metric of one run over the layers at one step: languages, their mean and middle 80 %, null, start."""
    words, measured = words_of(metric), by_layer(rows, metric)
    layers, first = sort_layers(measured["layer"].unique()), measured["step"].min()
    here = rows[(rows["step"] == step) & (rows["layer"] != "") & (rows["other"] == "")]
    of_languages = here[(here["metric"] == metric) & (here["language"] != "")]
    if of_languages.empty:  # a metric may be broken down by something else, as script_separability/Latn is
        broken_down = here[here["metric"].str.startswith(f"{metric}/")]
        of_languages = broken_down.assign(language=broken_down["metric"].str.removeprefix(f"{metric}/"))
    grid = of_languages.pivot(index="layer", columns="language", values="value").reindex(layers)
    lines: dict[str, tuple[pd.Series, str, dict]] = {
        "first measured": (_mean(rows, metric, first, layers), MUTED, {"width": 1.5, "dash": "dot"}),
        "mean" if len(grid.columns) else words.name: (_mean(rows, metric, step, layers), STRONG, {"width": 3.5}),
    }
    if step == first:
        del lines["first measured"]
    if source in grid.columns:
        lines[f"{source} (source)"] = (grid[source], ACCENT, {"width": 2})
    null = _mean(rows, words.null, step, layers)
    if null.notna().any():
        lines["mixing null" if words.null.endswith(("ilo_null", "bridge_null")) else "chance"] = (
            null,
            MUTED,
            {"width": 1.5, "dash": "dash"},
        )
    low, high = _limits(rows, metric, unit=words.unit_interval)
    traces = _spread(grid, layers, words.name) if len(grid.columns) else []
    traces += [
        _line(layers, clean(values), f"{plain(name)}, layer %{{x}}: %{{y:.3f}}", {"color": colour, **line})
        for name, (values, colour, line) in lines.items()
    ]
    ends = [(plain(shorten(name, BESIDE_BARS)), _end(values), colour) for name, (values, colour, _) in lines.items()]
    counted, names = moments(rows)
    return draw(
        traces,
        plain(f"{words.title}, {counted}: {names[step]}"),
        height=430,
        margin={"r": 118},
        xaxis={
            "type": "category",
            "title": {"text": "layer"},
            "categoryorder": "array",
            "categoryarray": layers,
            "range": [-0.2, len(layers) - 0.8],
        },
        yaxis={"title": {"text": plain(words.name)}, "range": [low, high]},
        annotations=end_labels(ends, len(layers) - 1, high - low, height=378, top=high),
    )


def _spread(grid: pd.DataFrame, layers: list[str], name: str) -> list[go.Scatter]:
    low, high = grid.quantile(0.1, axis=1), grid.quantile(0.9, axis=1)
    band = go.Scatter(
        x=layers + layers[::-1],
        y=clean([*low, *high[::-1]]),
        mode="lines",
        fill="toself",
        fillcolor=rgba(STRONG, 0.16),
        line={"width": 0},
        hoverinfo="skip",
    )
    # One trace for all languages, broken by gaps: thirty per step would slow the page. By `meta` it can highlight one.
    parts: dict[str, list] = {"x": [], "y": [], "customdata": []}
    for language in grid.columns:
        parts["x"] += [*layers, layers[-1]]
        parts["y"] += [*clean(grid[language]), None]
        parts["customdata"] += [plain(language)] * (len(layers) + 1)
    hover = f"%{{customdata}}, layer %{{x}}<br>{plain(name)} %{{y:.3f}}<extra></extra>"
    thin = {"color": rgba(STRONG, 0.4), "width": 1}
    everyone = go.Scatter(**parts, mode="lines", line=thin, hovertemplate=hover, meta="languages")
    chosen = go.Scatter(x=[], y=[], mode="lines", line={"color": ACCENT, "width": 2.5}, hoverinfo="skip", meta="chosen")
    return [band, everyone, chosen]


def _line(x: list[str], y: list, hover: str, line: dict) -> go.Scatter:
    return go.Scatter(x=x, y=y, mode="lines", line=line, hovertemplate=f"{hover}<extra></extra>")


def _mean(rows: pd.DataFrame, metric: str, step: int, layers: list[str]) -> pd.Series:
    values = by_layer(rows, metric)
    return values[values["step"] == step].set_index("layer")["value"].reindex(layers)


def _end(values: pd.Series) -> float:
    known = values.dropna()
    return float(known.iloc[-1]) if len(known) else float("nan")


def _limits(rows: pd.DataFrame, metric: str, *, unit: bool) -> tuple[float, float]:
    if unit:
        return -0.02, 1.04
    values = rows.loc[(rows["metric"] == metric) & (rows["other"] == ""), "value"]
    room = 0.05 * float(values.max() - values.min()) or 1.0
    return float(values.min()) - room, float(values.max()) + room

"""Growth: measures of neurons over checkpoints and over the depth of models, one line per model."""

from collections.abc import Mapping, Sequence

import pandas as pd
import plotly.graph_objects as go

from babelscope.report.figures.marks import mark_of
from babelscope.report.figures.matrices import draw_matrix, largest
from babelscope.report.figures.style import CATEGORIES, MUTED, SEQUENTIAL, clean, draw
from babelscope.report.neurons.numbers import in_brackets
from babelscope.report.neurons.summary import Checkpoint, distinct, model_value, over_layers, shape_of
from babelscope.report.table import Run
from babelscope.report.words import plain, words_of


def draw_growth(lines: Mapping[str, Sequence[Checkpoint]], metric: str) -> go.Figure:
    """Draw a measure of whole models over their checkpoints; one with weights seen before stands apart, hollow."""
    points = [point for line in lines.values() for point in line]
    steps = sorted({point.step for point in points if point.step is not None})
    names = [*map(str, steps), *(["final"] if any(point.step is None for point in points) else [])]
    traces = []
    for place, (model, line) in enumerate(lines.items()):
        colour, symbol = mark_of(place)
        for of, again in ((distinct(line), False), ([point for point in line if point.same_as], True)):
            if not of:
                continue
            values = pd.Series([scaled(point.run, metric) for point in of], dtype=float)
            low, high = (
                pd.Series([model_value(point.run, f"{metric}_{end}") for point in of], dtype=float)
                for end in ("low", "high")
            )
            bars = {"type": "data", "array": clean(high - values), "arrayminus": clean(values - low), "width": 0}
            note = "<br>same weights as %{text}: in no line and no trend" if again else "%{text}"
            form = ".2%" if in_percent(metric) else ".3f"
            traces.append(
                go.Scatter(
                    x=[point.name for point in of],
                    y=clean(values),
                    text=[
                        point.same_as if again else in_brackets(a, b) for point, a, b in zip(of, low, high, strict=True)
                    ],
                    mode="markers" if again else "lines+markers",
                    line={"color": colour, "width": 2.5},
                    marker={
                        "symbol": f"{symbol}-open" if again else symbol,
                        "size": 10 if again else 8,
                        "color": colour,
                    },
                    error_y={**bars, "thickness": 1.2, "color": colour, "visible": bool(low.notna().any())},
                    hovertemplate=f"{plain(model)}, %{{x}}: %{{y:{form}}}{note}<extra></extra>",
                )
            )
    return draw(
        traces,
        title_of(metric),
        height=340,
        xaxis={
            **CATEGORIES,
            "tickfont": {"size": 12},
            "tickangle": 0 if len(names) <= 8 else -45,
            "categoryorder": "array",
            "categoryarray": names,
            "title": {"text": "training steps"},
        },
        yaxis={
            "title": {"text": plain(words_of(metric).name)},
            "zeroline": True,
            "zerolinecolor": MUTED,
            **({"tickformat": ".1%", "rangemode": "tozero"} if in_percent(metric) else {}),
        },
    )


def draw_growth_layers(
    lines: Mapping[str, Sequence[Checkpoint]], metric: str, *, change: bool = False
) -> list[go.Figure]:
    """Draw a measure of every layer (upwards) at every distinct checkpoint, one figure per model in the same colours.

    `change` draws the difference to the first checkpoint.
    """
    grids = {
        model: pd.DataFrame(
            {point.name: values for point in distinct(line) if len(values := profile(point.run, metric))}
        )
        for model, line in lines.items()
    }
    grids = {model: grid for model, grid in grids.items() if grid.size}
    if not grids:
        return []
    if change:
        grids = {model: grid.sub(grid.iloc[:, 0], axis=0) for model, grid in grids.items()}
    words, percent = words_of(metric), in_percent(metric)
    one_sided = not change and all((grid.fillna(0) >= 0).all(axis=None) for grid in grids.values())
    digits = f"{'+' if change else ''}{'.1%' if percent else '.2f'}"
    what = ", change since the first checkpoint" if change else ""
    share = " (share of the layer)" if metric.endswith("_neurons") else ""
    return [
        draw_matrix(
            grid,
            f"{model}: {words.name}{share}{what}",
            f"layer %{{y}}, step %{{x}}<br>{plain(words.name)} %{{z:{digits.replace('.2f', '.3f')}}}",
            colours=(words.kind if words.kind in SEQUENTIAL else "other") if one_sided else "",
            bound=largest(*grids.values()),
            digits=digits,
            axes=("training steps", "layer"),
        )
        for model, grid in grids.items()
    ]


def draw_depths(runs: Mapping[str, Run], metric: str) -> go.Figure:
    """Draw a measure over the depth of several models, first to last block."""
    traces = []
    for place, (name, run) in enumerate(runs.items()):
        values, mark = profile(run, metric), mark_of(place)
        form = ".2%" if in_percent(metric) else ".3f"
        traces.append(
            go.Scatter(
                x=[round(number / max(len(values) - 1, 1), 4) for number in range(len(values))],
                y=clean(values),
                text=list(values.index),
                mode="lines+markers",
                line={"color": mark.colour, "width": 2.5},
                marker={"symbol": mark.symbol, "size": 7},
                hovertemplate=f"{plain(name)}, layer %{{text}}: %{{y:{form}}}<extra></extra>",
            )
        )
    return draw(
        traces,
        f"{title_of(metric)}, by layer",
        height=340,
        xaxis={
            "title": {"text": "depth"},
            "tickvals": [0, 0.5, 1],
            "ticktext": ["first block", "middle", "last block"],
        },
        yaxis={
            "title": {"text": plain(words_of(metric).name)},
            **({"tickformat": ".1%", "rangemode": "tozero"} if in_percent(metric) else {}),
        },
    )


def title_of(metric: str) -> str:
    """Head of a figure; numbers of neurons are drawn as shares, for models of several sizes."""
    return words_of(metric).title.replace("(number)", "(mean over languages, share of the neurons there)")


def in_percent(metric: str) -> bool:
    """Whether a measure is a share."""
    return metric.endswith("_neurons") or "_share_" in metric


def scaled(run: Run, metric: str) -> float:
    """A measure of the whole model; numbers of neurons as shares of all."""
    layers, neurons = shape_of(run)
    return model_value(run, metric) / (layers * neurons if metric.endswith("_neurons") else 1)


def profile(run: Run, metric: str) -> pd.Series:
    """A measure by layer; numbers of neurons as shares of the layer's."""
    return over_layers(run, metric) / (shape_of(run)[1] if metric.endswith("_neurons") else 1)

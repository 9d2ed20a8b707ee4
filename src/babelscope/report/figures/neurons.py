"""One model's neurons: alignment by layer with chance, regions by layer and language, and how far criteria agree."""

from math import isnan, log10

import pandas as pd
import plotly.graph_objects as go

from babelscope.report.figures.matrices import draw_matrix
from babelscope.report.figures.names import BESIDE_POINTS, aliases
from babelscope.report.figures.style import (
    ACCENT,
    BAR,
    CATEGORIES,
    MUTED,
    STRONG,
    clean,
    draw,
    end_labels,
    level,
    rgba,
)
from babelscope.report.neurons.numbers import in_brackets, number
from babelscope.report.neurons.summary import (
    by_language,
    by_layer_and,
    criterion_label,
    model_value,
    over_layers,
    shape_of,
)
from babelscope.report.table import Run
from babelscope.report.words import plain, words_of


def draw_alignment(run: Run, metric: str) -> go.Figure:
    """Draw LRDS or SADS over the layers: its interval, the range of relabellings, and the whole model."""
    words, values = words_of(metric), over_layers(run, metric)
    layers = list(values.index)
    traces = [
        _band(over_layers(run, f"{metric}{kind}_low"), over_layers(run, f"{metric}{kind}_high"), colour)
        for kind, colour in (("_null", MUTED), ("", STRONG))
    ]
    lines = {"": (values, STRONG, "solid"), "published stride": (over_layers(run, f"{metric}_legacy"), ACCENT, "dash")}
    ends = []
    for name, (line, colour, dash) in lines.items():
        if line.empty:
            continue
        lows, highs = (over_layers(run, f"{metric}_{end}").reindex(layers) for end in ("low", "high"))
        limits = ["" if name else in_brackets(a, b) for a, b in zip(lows, highs, strict=True)]
        traces.append(
            go.Scatter(
                x=layers,
                y=clean(line.reindex(layers)),
                mode="lines+markers",
                line={"color": colour, "width": 2.5, "dash": dash},
                marker={"size": 5},
                text=limits,
                hovertemplate=f"layer %{{x}}: {words.name} {name} %{{y:.3f}}%{{text}}<extra></extra>",
            )
        )
        if name:
            ends.append((name, float(line.iloc[-1]), colour))
    shapes = [level(0)]
    if not isnan(of_model := model_value(run, metric)):
        shapes.append(level(of_model, dash="dot"))
        ends.append((f"whole model {number(of_model, digits=2)}", of_model, MUTED))
    drawn = pd.concat([pd.Series([0.0]), *(pd.Series(trace.y, dtype=float) for trace in traces if trace.y)])
    low, high = float(drawn.min()), float(drawn.max())
    room = 0.06 * (high - low) or 0.05
    notes = end_labels(ends, 1, high - low + 2 * room, height=288)
    return draw(
        [trace for trace in traces if trace.y],
        words.title,
        height=340,
        margin={"r": 118 if ends else 16},
        shapes=[{**shape, "layer": "below"} for shape in shapes],
        annotations=[note | {"xref": "paper"} for note in notes],  # beside the dotted line, not on it
        xaxis={
            **CATEGORIES,
            "title": {"text": "layer"},
            "dtick": 1 if len(layers) <= 12 else 4,
            "range": [-0.3, len(layers) - 0.7],
        },
        yaxis={"title": {"text": words.name}, "range": [low - room, high + room]},
    )


def _band(low: pd.Series, high: pd.Series, colour: str) -> go.Scatter:
    layers = list(low.index)
    return go.Scatter(
        x=layers + layers[::-1],
        y=clean([*low, *high[::-1]]),
        mode="lines",
        fill="toself",
        fillcolor=rgba(colour, 0.22),
        line={"width": 0},
        hoverinfo="skip",
    )


def draw_regions(run: Run, criterion: str, *, share: bool = False) -> go.Figure:
    """Draw the neurons of every language in every layer: their number on a log scale, or shares of the language's."""
    counts = by_layer_and(run, f"{criterion}_neurons", "language")
    notes = (counts / shape_of(run)[1]).map("{:.2%} of the layer's".format)
    notes = counts.map("{:,.0f} neurons, ".format) + notes
    chance = over_layers(run, f"{criterion}_neurons_null").reindex(counts.index)
    notes = notes.add(chance.map(lambda value: f"<br>shuffled languages: {value:,.1f}" if value >= 0 else ""), axis=0)
    hover, title = "%{x}, layer %{y}<br>%{customdata}", f"Neurons of every language by {criterion_label(criterion)}"
    if share:
        return draw_matrix(
            counts / counts.sum(),
            f"{title} (share of the language's own)",
            f"{hover}<br>%{{z:.1%}} of the language's own",
            notes=notes,
            colours="other",
            digits=".0%",
            axes=("", "layer"),
        )
    figure = draw_matrix(
        counts.map(lambda count: log10(count + 1)),
        f"{title} (number, log scale)",
        hover,
        notes=notes,
        texts=counts.map("{:,.0f}".format),
        colours="other",
        axes=("", "layer"),
    )
    most = float(counts.to_numpy().max()) if counts.size else 0
    ticks = [0, *(10**power for power in range(7) if 10**power <= max(most, 1))]
    bar = {
        **BAR,
        "tickvals": [log10(tick + 1) for tick in ticks],
        "ticktext": [f"{tick:,}" for tick in ticks],
    }
    return figure.update_traces(colorbar=bar, selector=0)


def draw_agreement(run: Run, first: str, second: str) -> go.Figure:
    """Draw how far two criteria give a language the same neurons, beside chance."""
    chance = by_language(run, f"{first}_{second}_overlap_chance")
    chance = chance[chance > 0]  # by one of them, the others have no region
    values = by_language(run, f"{first}_{second}_overlap").reindex(chance.index).sort_values(kind="stable")
    chance, top = chance.reindex(values.index), float(max(values.max(), chance.max()))
    names = [plain(code) for code in values.index]
    dots = go.Scatter(
        x=clean(values),
        y=names,
        text=names,
        mode="markers",
        marker={"size": 9, "color": STRONG},
        hovertemplate="%{text}: %{x:.1%} in common<extra></extra>",
    )
    crosses = go.Scatter(
        x=clean(chance),
        y=names,
        text=names,
        mode="markers",
        marker={"size": 12, "symbol": "line-ns-open", "color": MUTED, "line": {"width": 2, "color": MUTED}},
        hovertemplate="%{text}: %{x:.2%} by chance<extra></extra>",
    )
    return draw(
        [crosses, dots],
        f"Neurons that {criterion_label(first)} and {criterion_label(second)} both give a language "
        "(share of the neurons of either)",
        height=90 + 20 * max(len(names), 5),
        margin={"l": 96},
        xaxis={"tickformat": ".1%" if top < 0.05 else ".0%", "range": [-0.03 * top, 1.06 * top]},
        yaxis={**CATEGORIES, "tickfont": {"size": 11}, "labelalias": aliases(values.index, BESIDE_POINTS)},
    )

"""Ablation of one language's neurons: what it costs that language and others, beside random neurons."""

from math import isnan

import pandas as pd
import plotly.graph_objects as go

from babelscope.report.figures.matrices import draw_matrix, largest
from babelscope.report.figures.names import BESIDE_POINTS, aliases
from babelscope.report.figures.style import ACCENT, CATEGORIES, MUTED, STRONG, clean, draw, upright
from babelscope.report.neurons.numbers import in_brackets, number
from babelscope.report.neurons.summary import by_pair, effects
from babelscope.report.table import Run
from babelscope.report.words import plain, words_of

OFF = {"ablated": "the neurons of", "random": "random neurons, as many as of"}
"""What was ablated, as the rows' metrics begin."""
UNITS = {"loss": "nats per target", "bits_per_byte": "bits per byte"}
"""What a loss is counted in, as the rows' metrics end."""
MARKS = {
    "random": ("random neurons ablated", MUTED, "line-ns-open"),
    "others": ("in other languages (mean)", STRONG, "circle-open"),
    "own": ("in its own language", ACCENT, "diamond"),
}


def draw_ablation(run: Run, unit: str) -> list[go.Figure]:
    """Draw the change in every language (rows) without every region (columns), beside that without random neurons.

    Args:
        run: the run.
        unit: one of `UNITS`.
    """
    grids = {kind: grid for kind in OFF if (grid := by_pair(run, f"{kind}_{unit}")).size}
    bound = largest(*grids.values())
    return [
        draw_matrix(
            grid,
            words_of(f"{kind}_{unit}").title,
            f"%{{y}}, {OFF[kind]} %{{x}} ablated<br>%{{z:+.3f}}%{{customdata}}",
            notes=_notes(run, kind, unit, grid),
            bound=bound,
            digits="+.2f",
            axes=("ablated neurons of", "measured in"),
            diagonal=True,
            down=True,
        )
        for kind, grid in grids.items()
    ]


def _notes(run: Run, kind: str, unit: str, grid: pd.DataFrame) -> pd.DataFrame:
    """What a cell says beside its value: interval, ratio of perplexities, number of neurons."""
    sizes = run.rows[run.rows["metric"] == "ablated_neurons"].set_index("other")["value"]
    parts = (by_pair(run, f"{kind}_{part}") for part in (f"{unit}_low", f"{unit}_high", "perplexity"))
    low, high, ratio = (
        part.reindex(index=grid.index, columns=grid.columns).to_numpy(dtype=float).tolist() for part in parts
    )
    notes = grid.astype(object)
    for column, name in enumerate(grid.columns):
        for row in range(len(grid)):
            text = in_brackets(low[row][column], high[row][column], sign=True)
            times = ratio[row][column]
            text += "" if isnan(times) else f"<br>perplexity × {times:.2f}"
            notes.iat[row, column] = text + (f"<br>{sizes[name]:,.0f} neurons ablated" if name in sizes.index else "")
    return notes


def draw_own(run: Run, unit: str = "loss") -> go.Figure:
    """Draw for every region what its own language loses without it, what others lose, and what random neurons cost."""
    table = effects(run, unit)
    names = [plain(code) for code in table.index]
    traces = []
    for kind, (said, colour, symbol) in MARKS.items():
        limits = {end: _diagonal(run, kind, f"{unit}_{end}").reindex(table.index) for end in ("low", "high")}
        above, below = limits["high"] - table[kind], table[kind] - limits["low"]
        bars = {"type": "data", "array": clean(above), "arrayminus": clean(below), "color": colour, "thickness": 1.5}
        traces.append(
            go.Scatter(
                x=clean(table[kind]),
                y=names,
                customdata=names,
                text=[
                    number(value, sign=True) + in_brackets(low, high, sign=True)
                    for value, low, high in zip(table[kind], limits["low"], limits["high"], strict=True)
                ],
                name=said,
                mode="markers",
                marker={"symbol": symbol, "size": 11, "color": colour, "line": {"width": 2, "color": colour}},
                error_x={**bars, "width": 0, "visible": bool(above.notna().any())},
                hovertemplate=f"%{{customdata}}, {said}: %{{text}} {UNITS[unit]}<extra></extra>",
            )
        )
    return draw(
        traces,
        f"Change of loss when the neurons of the row's language are ablated ({UNITS[unit]})",
        height=110 + 22 * max(len(names), 5),
        margin={"l": 96, "t": 36},
        showlegend=True,
        legend={"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom"},
        xaxis={"tickformat": "+~g"},
        yaxis={
            **CATEGORIES,
            "tickfont": {"size": 11},
            "autorange": "reversed",
            "labelalias": aliases(table.index, BESIDE_POINTS),
        },
        shapes=[upright(0)],
    )


def _diagonal(run: Run, kind: str, part: str) -> pd.Series:
    """Limits of an effect in the region's own language; the mean over others has none."""
    metric = {"own": f"ablated_{part}", "random": f"random_{part}"}.get(kind)
    rows = run.rows[(run.rows["metric"] == metric) & (run.rows["language"] == run.rows["other"])]
    rows = rows[rows["language"] != ""]
    return pd.Series(rows["value"].to_numpy(), index=rows["language"], dtype=float)

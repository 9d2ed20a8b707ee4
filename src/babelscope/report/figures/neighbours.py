"""One run, one layer, language by language: in which languages a language's nearest neighbours lie."""

import pandas as pd
import plotly.graph_objects as go

from babelscope.report.figures.cells import tell_cells
from babelscope.report.figures.names import BESIDE_CELLS, aliases
from babelscope.report.figures.style import BAR, CATEGORIES, DIVERGING, SEQUENTIAL, by_script, clean, draw
from babelscope.report.words import plain, words_of

WRITTEN = 66
"""Languages that the figure has room to name. Of more, every second or third name is written; pointing tells both."""


def draw_pairs(rows: pd.DataFrame, metric: str, layer: str, *, step: int | None = None) -> go.Figure:
    """Draw a language x language matrix of one layer at one step; without `step`, the change from first to last.

    The diagonal is left out, so that the colours show the other languages; languages are grouped by writing system.
    """
    words, change = words_of(metric), step is None
    pairs = rows[(rows["metric"] == metric) & (rows["other"] != "")]
    first, last = pairs["step"].min(), pairs["step"].max()
    languages = by_script([*pairs["language"].unique(), *pairs["other"].unique()])
    grid = _grid(pairs, layer, last if step is None else step, languages)
    others = pairs.loc[pairs["language"] != pairs["other"], "value"]
    colours = {"colorscale": SEQUENTIAL[words.kind], "zmin": 0, "zmax": float(others.quantile(0.99)) or 1.0}
    if change:
        grid = grid - _grid(pairs, layer, first, languages)
        # one bound for all layers, so that the colours mean the same while the layer changes
        bound = float(others.quantile(0.99)) / 2 or 1.0
        colours = {"colorscale": DIVERGING, "zmin": -bound, "zmax": bound}
    names = [plain(language) for language in languages]
    every = -(-len(languages) // WRITTEN)
    axis = {**CATEGORIES, "dtick": every, "labelalias": aliases(languages, BESIDE_CELLS)}
    hover = f"%{{y}}: %{{z:{'+' if change else ''}.3f}} of its neighbours are %{{x}}"
    heat = go.Heatmap(
        z=[
            [None if row == column else value for column, value in enumerate(clean(line))]
            for row, line in enumerate(grid.to_numpy())
        ],
        x=names,
        y=names,
        xgap=1 if every == 1 else 0,
        ygap=1 if every == 1 else 0,
        hoverongaps=False,
        **tell_cells(hover, grid.to_numpy(dtype=float), languages, languages),
        colorbar=BAR,
        **colours,
    )
    what = "change from first to last" if change else "at the first step" if step == first else f"at step {step}"
    side = max(15 * min(len(languages), WRITTEN), 220)
    return draw(
        [heat],
        f"{plain(words.title)}, layer {plain(layer)}, {what}",
        height=side + 110,
        margin={"l": 74, "b": 84},
        xaxis={**axis, "tickangle": -60},
        yaxis={**axis, "autorange": "reversed"},
    )


def _grid(pairs: pd.DataFrame, layer: str, step: int, languages: list[str]) -> pd.DataFrame:
    here = pairs[(pairs["layer"] == layer) & (pairs["step"] == step)]
    return here.pivot(index="language", columns="other", values="value").reindex(index=languages, columns=languages)

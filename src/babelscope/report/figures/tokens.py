"""Token tables: the script probe, scripts among neighbours, translations, and the map."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from babelscope.report.figures.cells import tell_cells
from babelscope.report.figures.marks import COLOURS, mark_of
from babelscope.report.figures.names import BESIDE_CELLS, aliases
from babelscope.report.figures.style import BAR, CATEGORIES, MUTED, SEQUENTIAL, by_script, clean, draw, upright
from babelscope.report.table import Run
from babelscope.report.tokens.summary import names_of, value_of
from babelscope.report.words import plain


def by_language(run: Run, metric: str) -> pd.Series:
    """Values by script, in the order of the rows."""
    rows = run.rows[(run.rows["metric"] == metric) & (run.rows["language"] != "") & (run.rows["other"] == "")]
    return pd.Series(rows["value"].to_numpy(), index=rows["language"])


def draw_probe(runs: Sequence[Run], end: str = "") -> go.Figure | None:
    """Draw the accuracy of the probe by script, one point per model with its interval, beside its two controls."""
    names = names_of(runs)
    scores = {name: by_language(run, f"script_probe{end}") for name, run in zip(names, runs, strict=True)}
    scores = {name: values for name, values in scores.items() if len(values)}
    if not scores:
        return None
    scripts = list(pd.DataFrame(scores).mean(axis=1).sort_values(ascending=False).index)
    traces: list[Any] = []
    for place, (name, run) in enumerate(zip(names, runs, strict=True)):
        if name not in scores:
            continue
        values = scores[name].reindex(scripts)
        low, high = (by_language(run, f"script_probe_{side}{end}").reindex(scripts) for side in ("low", "high"))
        bars = {"type": "data", "array": clean(high - values), "arrayminus": clean(values - low), "width": 0}
        traces.append(
            go.Bar(
                x=scripts,
                y=clean(values),
                name=plain(name),
                marker={"color": mark_of(place).colour},
                error_y={**bars, "thickness": 1.2, "color": MUTED},
                hovertemplate=f"{plain(name)}, %{{x}}: %{{y:.2%}}<extra></extra>",
            )
        )
    for kind, symbol in (("random", "line-ew-open"), ("shuffled", "x-thin-open")):
        controls = [by_language(run, f"script_probe_{kind}{end}") for run in runs]
        points = pd.DataFrame(dict(zip(names, controls, strict=True)))
        if points.empty:
            continue
        traces.append(
            go.Scatter(
                x=scripts,
                y=clean(points.mean(axis=1).reindex(scripts)),
                mode="markers",
                name=f"{kind} {'table' if kind == 'random' else 'labels'}",
                marker={"symbol": symbol, "size": 10, "color": MUTED, "line": {"width": 2, "color": MUTED}},
                hovertemplate=f"{kind} %{{x}}: %{{y:.2%}}<extra></extra>",
            )
        )
    width = f", on {end.removeprefix('/pca')} principal components" if end else ""
    return draw(
        traces,
        f"Accuracy of telling a script's tokens from the rest{width}",
        height=360,
        showlegend=True,
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        margin={"t": 40},
        barmode="group",
        xaxis={**CATEGORIES, "tickfont": {"size": 12}},
        yaxis={"range": [0, 1.01], "tickformat": ".0%"},
    )


def draw_counts(runs: Sequence[Run], k: int) -> go.Figure:
    """Draw how many scripts are among k neighbours: the distribution, with its mean and that of random neighbours."""
    traces, shapes, notes = [], [], []
    for place, (name, run) in enumerate(zip(names_of(runs), runs, strict=True)):
        rows = run.rows[run.rows["metric"] == f"neighbour_scripts_share@{k}"]
        if rows.empty:
            continue
        shares = pd.Series(rows["value"].to_numpy(), index=rows["other"].astype(int)).sort_index()
        colour, symbol = mark_of(place)
        traces.append(
            go.Scatter(
                x=list(shares.index),
                y=clean(shares),
                name=plain(name),
                mode="lines+markers",
                line={"color": colour, "width": 2, "shape": "hvh" if len(runs) == 1 else "linear"},
                marker={"symbol": symbol, "size": 7},
                fill="tozeroy" if len(runs) == 1 else "none",
                hovertemplate=f"{plain(name)}: %{{x}} scripts, %{{y:.1%}} of tokens<extra></extra>",
            )
        )
        for metric, dash in (("neighbour_scripts", "solid"), ("neighbour_scripts_null", "dash")):
            if (value := value_of(run, f"{metric}@{k}")) is not None:
                shapes.append(upright(value, color=colour, dash=dash, width=1.5))
    if len(runs) == 1:
        for metric, text in (("neighbour_scripts", "mean"), ("neighbour_scripts_null", "random neighbours")):
            x = value_of(runs[0], f"{metric}@{k}")
            notes.append({"x": x, "y": 1, "yref": "paper", "text": text, "showarrow": False, "xanchor": "left"})
    return draw(
        traces,
        f"Scripts among the {k} nearest tokens (share of tokens); solid line: mean; dashed: random neighbours",
        height=330,
        showlegend=len(runs) > 1,
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        margin={"t": 40},
        shapes=shapes,
        annotations=notes,
        xaxis={"title": {"text": "number of scripts"}, "rangemode": "tozero", "dtick": 1},
        yaxis={"tickformat": ".0%", "rangemode": "tozero"},
    )


def draw_scripts(run: Run, k: int) -> go.Figure:
    """Draw a script x script table: of the neighbours of a script's tokens, how many are of which script."""
    rows = run.rows[run.rows["metric"] == f"neighbour_share@{k}"]
    grid = rows.pivot(index="language", columns="other", values="value")
    sizes = by_language(run, "tokens")
    order = [name for name in sizes.sort_values(ascending=False).index if name in grid.index][:24]
    columns = [name for name in sizes.sort_values(ascending=False).index if name in grid.columns][:24]
    null = run.rows[run.rows["metric"] == "neighbour_share_null"].pivot(
        index="language", columns="other", values="value"
    )
    return _heat(
        grid.reindex(index=order, columns=columns),
        f"Scripts of the {k} nearest tokens (rows add up to 1)",
        "separability",
        "%{y}: %{z:.1%} of its neighbours are %{x} (by chance %{customdata:.1%})",
        custom=null.reindex(index=order, columns=columns),
    )


def draw_translations(run: Run, metric: str) -> go.Figure:
    """Draw a score of every pair of languages: source in rows, target in columns."""
    rows = run.rows[(run.rows["metric"] == metric) & (run.rows["other"] != "")]
    codes = by_script([*rows["language"], *rows["other"]])
    grid = rows.pivot(index="language", columns="other", values="value").reindex(index=codes, columns=codes)
    words = run.rows[run.rows["metric"] == "translation_words"].pivot(index="language", columns="other", values="value")
    what = metric.removeprefix("translation_").replace("p@", "P@").replace("null@", "by chance: P@")
    return _heat(
        grid,
        f"{what} from the language of the row into that of the column",
        "alignment",
        "%{y} to %{x}: %{z:.1%} (%{customdata:.0f} words)",
        custom=words.reindex(index=codes, columns=codes),
    )


def draw_map(explorer: dict[str, Any], name: str) -> go.Figure:
    """Draw the sampled tokens on a plane, coloured by script; of many scripts the smallest share one grey."""
    scripts, pieces = explorer["scripts"], explorer["pieces"]
    groups: dict[str, list[int]] = {}
    for row, token in enumerate(explorer["tokens"]):
        groups.setdefault(scripts[explorer["script"][token]], []).append(row)
    order = sorted(groups, key=lambda script: -len(groups[script]))
    traces = []
    for place, script in enumerate(order):
        rows = groups[script]
        own = place < 2 * len(COLOURS)
        traces.append(
            go.Scatter(
                x=[explorer["place"][row][0] for row in rows],
                y=[explorer["place"][row][1] for row in rows],
                text=[plain(pieces[explorer["tokens"][row]]) for row in rows],
                name=plain(script),
                mode="markers",
                marker={
                    "size": 5,
                    "opacity": 0.75,
                    "color": mark_of(place).colour if own else MUTED,
                    "symbol": "circle" if place < len(COLOURS) else "diamond-open",
                },
                hovertemplate=f"%{{text}} ({plain(script)})<extra></extra>",
            )
        )
    hidden = {"showgrid": False, "showticklabels": False, "zeroline": False}
    method = "UMAP" if explorer["layout"] == "umap" else "first two principal components"
    return draw(
        traces,
        plain(f"{name}: {len(explorer['tokens']):,} tokens, {method}; click a script to hide it"),
        height=560,
        showlegend=True,
        legend={"orientation": "v", "x": 1.01, "y": 1, "xanchor": "left", "font": {"size": 11}},
        xaxis=hidden,
        yaxis=hidden,
    )


def _heat(grid: pd.DataFrame, title: str, colours: str, hover: str, custom: pd.DataFrame) -> go.Figure:
    values = grid.to_numpy(dtype=float)
    z = [clean(line) for line in values]
    short = aliases([*grid.index, *grid.columns], BESIDE_CELLS)
    heat = go.Heatmap(
        z=z,
        x=[plain(str(name)) for name in grid.columns],
        y=[plain(str(name)) for name in grid.index],
        customdata=[clean(line) for line in custom.to_numpy(dtype=float)],
        colorscale=SEQUENTIAL[colours],
        zmin=0,
        zmax=max([value for line in z for value in line if value is not None] or [1.0]) or 1.0,
        xgap=1,
        ygap=1,
        hoverongaps=False,
        **tell_cells(hover, values, grid.index, grid.columns),
        colorbar={**BAR, "tickformat": ".0%"},
    )
    return draw(
        [heat],
        title,
        height=16 * max(len(grid), 10) + 110,
        margin={"l": 74, "b": 84},
        xaxis={**CATEGORIES, "tickangle": -60, "labelalias": short},
        yaxis={**CATEGORIES, "autorange": "reversed", "labelalias": short},
    )

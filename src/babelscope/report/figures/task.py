"""The task: how it was learnt, and how far it carries into every other language."""

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from babelscope.report.figures.marks import mark_of
from babelscope.report.figures.names import BESIDE_BARS, shorten
from babelscope.report.figures.style import MUTED, clean, draw, end_labels, fit_beside
from babelscope.report.words import plain, words_of


def draw_task(rows: pd.DataFrame, metric: str, title: str) -> go.Figure:
    """Draw one task metric over the steps, one line per run; several languages are averaged without weights."""
    chosen = rows[(rows["metric"] == metric) & (rows["layer"] == "")]
    curves = chosen.groupby(["run", "step"], sort=False)["value"].mean()
    traces, ends = [], []
    for place, run in enumerate(rows["run"].unique()):
        if run not in curves.index.get_level_values("run"):
            continue
        curve, (colour, symbol) = curves.loc[run].sort_index(), mark_of(place)
        traces.append(
            go.Scatter(
                x=[int(step) for step in curve.index],
                y=clean(curve),
                mode="lines+markers",
                line={"color": colour, "width": 2.5},
                marker={"symbol": symbol, "size": 7},
                hovertemplate=f"{plain(run)}, step %{{x}}: %{{y:.3f}}<extra></extra>",
            )
        )
        ends.append((plain(run), float(curve.iloc[-1]), colour))
    beside = fit_beside(list(rows["run"].unique()))
    score = metric.rpartition("_")[2]
    last = int(curves.index.get_level_values("step").max())
    high = 1.02 if words_of(score).unit_interval else 1.08 * float(curves.max())
    return draw(
        traces,
        plain(title),
        height=290,
        margin={"r": 108 if beside else 16},
        xaxis={
            "title": {"text": "training steps"},
            "showgrid": False,
            "nticks": 6,
            "range": [-0.03 * last, 1.03 * last],
        },
        yaxis={"range": [0, high], "title": {"text": words_of(score).name}},
        annotations=end_labels(ends if beside else [], last, high, height=238, top=high),
    )


def draw_transfer(table: pd.DataFrame, sources: Mapping[str, str], score: str) -> go.Figure:
    """Draw the test score of every language (rows, best first) for every run (columns of `table`).

    The legend is the panel's: on a narrow screen that of many runs would leave the figure no room.

    Args:
        table: language x run.
        sources: the source language of every run; its point is larger and ringed.
        score: what the score is, such as "accuracy".
    """
    best_first = table.loc[table.mean(axis=1).sort_values(ascending=score == "loss").index]
    names = [plain(code) for code in best_first.index]
    stems_x, stems_y = [], []
    for name, low, high in zip(names, best_first.min(axis=1), best_first.max(axis=1), strict=True):
        stems_x += [*clean([low, high]), None]
        stems_y += [name, name, None]
    traces = [go.Scatter(x=stems_x, y=stems_y, mode="lines", line={"color": MUTED, "width": 1}, hoverinfo="skip")]
    for place, run in enumerate(best_first.columns):
        colour, symbol = mark_of(place)
        is_source = [language == sources.get(run) for language in best_first.index]
        traces.append(
            go.Scatter(
                x=clean(best_first[run]),
                y=names,
                name=plain(run),
                mode="markers",
                marker={
                    "opacity": 1,
                    "color": colour,
                    "symbol": symbol,
                    "size": [13 if mark else 9 for mark in is_source],
                    "line": {"width": [2 if mark else 0 for mark in is_source], "color": MUTED},
                },
                customdata=names,
                text=["source language" if mark else "zero-shot" for mark in is_source],
                hovertemplate=f"%{{customdata}}, {plain(run)}<br>{score} %{{x:.3f}} (%{{text}})<extra></extra>",
            )
        )
    ticks = [_tick(language, source=language in set(sources.values())) for language in best_first.index]
    axis = {"range": [0, 1.02]} if words_of(score).unit_interval else {"rangemode": "tozero"}
    return draw(
        traces,
        f"Test {words_of(score).name} in every language, at the last tested step",
        height=84 + 19 * len(names),
        margin={"l": 132},
        xaxis={"title": {"text": words_of(score).name}, **axis},
        yaxis={
            "autorange": "reversed",
            "showgrid": False,
            "tickvals": names,
            "ticktext": ticks,
            "dtick": 1,
            "ticks": "",
        },
    )


def _tick(language: str, *, source: bool) -> str:
    said = " (source)"
    if source:
        return f"<b>{plain(shorten(language, BESIDE_BARS - len(said)))}{said}</b>"
    return plain(shorten(language, BESIDE_BARS))

"""Panels of the page: a figure or a few, how to read them, and the choices (metric, step, layer) a reader has."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias, TypeVar

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from babelscope.report.figures.cells import MOST_CELLS
from babelscope.report.figures.guard import describe_decision, draw_guard
from babelscope.report.figures.layers import draw_curves, draw_heat_map
from babelscope.report.figures.neighbours import draw_pairs
from babelscope.report.figures.style import moments
from babelscope.report.runs import scores_of, source_of
from babelscope.report.summary import by_layer
from babelscope.report.table import Run, sort_layers
from babelscope.report.words import layer_metrics, words_of

Figure: TypeAlias = go.Figure | dict[str, Any]
"""One of plotly's, or plain data and layout as `sketch` makes them."""
Offer = TypeVar("Offer", bound=Hashable)
Place = TypeVar("Place")
MOST = 12
"""More steps than this are thinned out evenly where every step is a figure of its own; first and last stay. So are
layers where each is a figure of more than 10,000 cells, of which 33 would fill tens of megabytes."""


@dataclass(frozen=True)
class Choice:
    """One thing a reader can choose."""

    label: str
    options: list[str]
    kind: str = "buttons"
    """"buttons" or "slider"."""
    start: int = 0
    """Place of the option shown first."""
    notes: list[str] = field(default_factory=list)
    """How to read the figures under each option, where that depends on it."""


@dataclass(frozen=True)
class Panel:
    """Figures shown together, one set per combination of choices."""

    title: str
    reading: str
    views: Mapping[str, Sequence[Figure]]
    """Keyed by the places of the chosen options, such as "0,2"; "" without choices."""
    choices: list[Choice] = field(default_factory=list)
    shape: str = ""
    """"grid" or "pairs" for figures side by side, "square" or "narrow" for figures that do not fill the width."""
    legend: list[str] = field(default_factory=list)
    """Names of the runs in the figures, in the order of their marks."""


def show_run(run: Run) -> list[Panel]:
    """Make the panels that show one run layer by layer; those without rows are left out."""
    rows = scores_of(run.rows)
    alone = rows["other"] == ""  # apart, for those of two languages are most of all rows
    scored = replace(run, rows=rows[alone])
    panels = [_guard(run), _heat_maps(scored), *_curves(scored), *_pairs(replace(run, rows=rows[~alone]))]
    return [panel for panel in panels if panel and panel.views]


def _guard(run: Run) -> Panel | None:
    rows = run.rows[run.rows["metric"].isin(["guard_fall", "guard_freeze"])]
    if rows.empty:
        return None
    decisions = [describe_decision(row) for _, row in rows[rows["metric"] == "guard_freeze"].iterrows()]
    return Panel(
        "Alignment guard: score drop per layer and freezing decisions",
        "Each line is a watched layer, orange near the input: how far its score has dropped since step 0. "
        + (" ".join(decisions) or "No drop exceeded the tolerance, so nothing was put back or frozen."),
        {"": [draw_guard(rows, "Drop of the guard's score, layer by layer")]},
        shape="narrow",
    )


def _heat_maps(run: Run) -> Panel | None:
    metrics = layer_metrics(run.rows)
    views = {"0": [draw_heat_map(run.rows, metric) for metric in metrics]} if metrics else {}
    choices = []
    # what was measured once has not changed by 0
    if moved := [metric for metric in metrics if by_layer(run.rows, metric)["step"].nunique() > 1]:
        views["1"] = [draw_heat_map(run.rows, metric, change=True) for metric in moved]
        choices = [Choice("Show", ["value", "change since the first measurement"])]
    views = views if choices else {"": views["0"]} if views else {}
    return Panel(
        "Scores by layer and training step",
        "The network's input is at the bottom, its output at the top; training goes from left to right. "
        "Green-blue scales are alignment (more overlap is darker), orange ones separability (languages further apart "
        "are darker).",
        views,
        choices,
        "pairs",
    )


def _curves(run: Run) -> list[Panel]:
    counted, names = moments(run.rows)
    offered = _by_offer(layer_metrics(run.rows), lambda metric: _steps(by_layer(run.rows, metric)))
    panels = []
    for measured, metrics in offered.items():
        steps = _thin(measured)
        views = {
            f"{place},{when}": [draw_curves(run.rows, metric, step, source=source_of(run))]
            for place, metric in enumerate(metrics)
            for when, step in enumerate(steps)
        }
        panels.append(
            Panel(
                "Scores by layer, one line per language" + (_which(metrics) if len(offered) > 1 else ""),
                "The bold line is the mean over languages, the band their middle 80 %, each thin line one language "
                "(point at it for its name). The dotted line is the first measurement, the dashed one what chance "
                "gives.",
                views,
                [
                    metric_choice(metrics),
                    Choice(counted.capitalize(), [names[step] for step in steps], "slider", len(steps) - 1),
                ],
            )
        )
    return panels


def _pairs(run: Run) -> list[Panel]:
    pairs = run.rows[run.rows["layer"] != ""]
    of = {str(metric): rows for metric, rows in pairs.groupby("metric")}
    offered = _by_offer(sorted(of), lambda metric: (tuple(sort_layers(of[metric]["layer"])), _steps(of[metric])))
    panels = []
    for (measured, steps), metrics in offered.items():
        shown: dict[str, int | None] = {"first step": steps[0]}
        if len(steps) > 1:
            shown |= {"last step": steps[-1], "change": None}
        languages = max(of[metric]["language"].nunique() for metric in metrics)
        layers = _thin(measured) if languages**2 > MOST_CELLS else list(measured)
        left_out = f" Of the {len(measured)} layers, {len(layers)} are shown." if len(layers) < len(measured) else ""
        views = {
            f"{place},{depth},{when}": [draw_pairs(of[metric], metric, layer, step=step)]
            for place, metric in enumerate(metrics)
            for depth, layer in enumerate(layers)
            for when, step in enumerate(shown.values())
        }
        panels.append(
            Panel(
                "Languages of the nearest neighbours" + (_which(metrics) if len(offered) > 1 else ""),
                "Rows: a language, grouped by writing system. Columns: the languages in which the nearest neighbours "
                "of its sentences lie, as shares. An even row is a shared space, dark blocks are islands; neighbours "
                f"need not be translations.{left_out}",
                views,
                [
                    Choice("Metric", [words_of(metric).name for metric in metrics]),
                    Choice("Layer", layers, "slider", len(layers) // 2),
                    Choice("When", list(shown), start=min(1, len(shown) - 1)),
                ],
                "square",
            )
        )
    return panels


def _by_offer(metrics: Sequence[str], offer: Callable[[str], Offer]) -> dict[Offer, list[str]]:
    """Group metrics by what a reader can choose of each: every combination of a panel's choices must have a figure."""
    groups: dict[Offer, list[str]] = {}
    for metric in metrics:
        groups.setdefault(offer(metric), []).append(metric)
    return groups


def _steps(rows: pd.DataFrame) -> tuple[int, ...]:
    return tuple(sorted(map(int, rows["step"].unique())))


def _which(metrics: Sequence[str]) -> str:
    """Tell panels of one kind apart by what they show."""
    names = [words_of(metric).name for metric in metrics]
    return ": " + ", ".join(names[:2]) + (f" and {len(names) - 2} more" if len(names) > 2 else "")


def metric_choice(metrics: Sequence[str], label: str = "Metric") -> Choice:
    """Offer metrics by name, each with how it is read."""
    words = [words_of(metric) for metric in metrics]
    return Choice(label, [word.name for word in words], notes=[word.reading for word in words])


def _thin(places: Sequence[Place]) -> list[Place]:
    if len(places) <= MOST:
        return list(places)
    return [places[place] for place in np.linspace(0, len(places) - 1, MOST).round().astype(int)]

"""Panels of a model without the region of a language, on the page of neurons."""

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from babelscope.report.figures.deactivation import draw_deactivation, draw_own
from babelscope.report.figures.matrices import draw_matrix, largest
from babelscope.report.growth_panels import measure_choice
from babelscope.report.neuron_summary import by_language, by_layer_and, by_pair, contrast, effects, over_layers, said
from babelscope.report.panels import Choice, Panel
from babelscope.report.study.intervals import Interval
from babelscope.report.table import Run
from babelscope.report.words import words_of

KINDS = {"ablated": "the region of", "random": "random neurons, as many as of"}
"""What was switched off, as the rows' metrics begin."""


def deactivation(run: Run) -> Panel | None:
    """Make the panel of the matrix of languages by regions that are off."""
    units = [unit for unit in ("loss", "bits_per_byte") if not by_pair(run, f"ablated_{unit}").empty]
    views = {str(place): draw_deactivation(run, unit) for place, unit in enumerate(units)}
    criterion = (run.config.get("ablation") or {}).get("criterion")
    by = f" by {said(criterion)}" if criterion else ""
    return Panel(
        "Life without a region",
        f"Each column switches the region of one language{by} off; each row is a language in which the model is then "
        "measured. Orange: the model has become worse; blue: better. A dark diagonal (framed) means that a region "
        "serves its own language. Beside it, on the same colours, the mean over draws of as many random neurons in "
        "every layer. Point at a cell for its 95 % interval.",
        views,
        [Choice("Loss in", [{"loss": "nats per target", "bits_per_byte": "bits per byte"}[unit] for unit in units])],
        "pairs",
    )


def own(run: Run) -> Panel | None:
    """Make the panel of every region's effect on its own language."""
    if effects(run).empty:
        return None
    parts = {"as many random neurons": contrast(run, "random"), "what other languages lose": contrast(run, "others")}
    told = [f"minus {name}, {_told(interval)}" for name, interval in parts.items() if interval.n]
    return Panel(
        "Does a region serve its own language?",
        "Where the orange mark lies right of the grey stroke, a region is worth more than random neurons; where it "
        "lies right of the blue ring, its own language needs it more than others do. Mean over languages of what the "
        f"own language loses{': ' if told else ''}{'; '.join(told)}.",
        {"": [draw_own(run)]},
        shape="narrow",
    )


def _told(interval: Interval) -> str:
    """A difference with its interval in words."""
    limits = f" (95 % {interval.low:+.3f} to {interval.high:+.3f} over {interval.n} languages)"
    return f"{interval.value:+.3f} nats{limits if interval.known else ''}".replace("-", "−")


def under_ablation(run: Run) -> list[Panel | None]:
    """Make the panels of whatever else was measured while a region was off.

    They show the difference to the intact model where that is known.
    """
    own = ("_loss", "_perplexity", "_bits_per_byte", "_neurons", "_low", "_high", "_null", "_control")
    named = [name for name in run.rows["metric"].unique() if name.startswith("ablated_")]
    metrics = sorted(name.removeprefix("ablated_") for name in named if not name.endswith(own))
    layered = {name: figures for name in metrics if (figures := _draw_layers(run, name))}
    tasks = {name: figures for name in metrics if (figures := _draw_task(run, name))}
    return [
        Panel(
            "Every layer without a region",
            "Each column switches the region of one language off and measures all layers, the mean over languages. "
            f"{_BESIDE}",
            {str(place): figures for place, figures in enumerate(layered.values())},
            [measure_choice(list(layered))],
            "pairs",
        ),
        Panel(
            "The task without a region",
            "Each column switches the region of one language off; each row is a language in which the task is then "
            f"measured. {_BESIDE}",
            {str(place): figures for place, figures in enumerate(tasks.values())},
            [measure_choice(list(tasks))],
            "pairs",
        ),
    ]


_BESIDE = (
    "Two-sided colours show the difference to the intact model: blue is higher, orange lower. Beside it, the mean over "
    "draws of as many random neurons in every layer."
)


def _draw_layers(run: Run, metric: str) -> list[go.Figure]:
    grids = {kind: by_layer_and(run, f"{kind}_{metric}", "other") for kind in KINDS}
    return _draw(metric, grids, over_layers(run, f"intact_{metric}"), "layer", "layer %{y} without")


def _draw_task(run: Run, metric: str) -> list[go.Figure]:
    grids = {kind: by_pair(run, f"{kind}_{metric}") for kind in KINDS}
    return _draw(metric, grids, by_language(run, f"intact_{metric}"), "measured in", "%{y} without")


def _draw(metric: str, grids: Mapping[str, pd.DataFrame], intact: pd.Series, rows: str, where: str) -> list[go.Figure]:
    """Draw both grids in the same colours, minus the intact model's values (by row) where they are known."""
    name = words_of(metric).name
    known = all(intact.reindex(grid.index).notna().all() for grid in grids.values())
    if known:
        grids = {kind: grid.sub(intact, axis=0).reindex(grid.index) for kind, grid in grids.items()}
    bound = largest(*grids.values())
    minus, sign = (", minus the intact model's", "+") if known else ("", "")
    return [
        draw_matrix(
            grid,
            f"{name[:1].upper()}{name[1:]} without {KINDS[kind]}{minus}",
            f"{where} {KINDS[kind]} %{{x}}<br>{name} %{{z:{sign}.3f}}",
            colours="" if known else "alignment",
            bound=bound,
            digits=f"{sign}.2f",
            axes=("region that is off", rows),
            diagonal=rows != "layer",
        )
        for kind, grid in grids.items()
        if grid.size
    ]

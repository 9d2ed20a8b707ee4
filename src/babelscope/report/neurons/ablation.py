"""Panels of the ablation of one language's neurons, on the page of neurons."""

from collections.abc import Mapping, Sequence

import pandas as pd
import plotly.graph_objects as go

from babelscope.report.figures.ablation import OFF, UNITS, draw_ablation, draw_own
from babelscope.report.figures.matrices import draw_matrix, largest
from babelscope.report.neurons.numbers import in_brackets, limits, number
from babelscope.report.neurons.summary import (
    above_random,
    by_language,
    by_layer_and,
    by_pair,
    contrast,
    criterion_label,
    effects,
    neuron_manifest,
    over_layers,
)
from babelscope.report.panels import Choice, Panel, metric_choice
from babelscope.report.table import Run
from babelscope.report.words import words_of


def loss_matrix(run: Run) -> Panel | None:
    """Make the panel of the matrix of languages by ablated regions."""
    units = [unit for unit in UNITS if not by_pair(run, f"ablated_{unit}").empty]
    criterion = (run.config.get("ablation") or {}).get("criterion")
    by = f" by {criterion_label(criterion)}" if criterion else ""
    return Panel(
        "Loss change when one language's neurons are ablated",
        f"Columns: the language whose neurons{by} are ablated. Rows: the language in which the loss is then measured. "
        "Orange: the loss rises; blue: it falls. A dark diagonal (framed) means that neurons serve their own language, "
        "a dark column that all languages need them. Beside it, in the same colours, the mean over draws of as many "
        f"random neurons in every layer. Point at a cell for its 95 % interval.{_left_out(run)}",
        {str(place): draw_ablation(run, unit) for place, unit in enumerate(units)},
        [_unit_choice(units, [""] * len(units))],
        "pairs",
    )


def _left_out(run: Run) -> str:
    """Say which languages' regions were not ablated, and why."""
    reasons: dict[str, list[str]] = {}
    for code, reason in (neuron_manifest(run).get("left_out") or {}).items():
        reasons.setdefault(str(reason), []).append(str(code))
    told = "; ".join(f"{', '.join(codes)} ({reason})" for reason, codes in reasons.items())
    return f" Left out: {told}." if told else ""


def own(run: Run) -> Panel | None:
    """Make the panel of every region's effect on its own language."""
    units = [unit for unit in UNITS if not effects(run, unit).empty]
    if not units:
        return None
    return Panel(
        "Does ablation harm a language's own loss most?",
        "Where the orange mark lies right of the grey stroke, a language's neurons are worth more than random ones; "
        "where it lies right of the blue ring, their own language needs them more than others do. One set of neurons "
        "that all languages need can dominate the mean, so see the median too.",
        {str(place): [draw_own(run, unit)] for place, unit in enumerate(units)},
        [_unit_choice(units, [_summed_up(run, unit) for unit in units])],
        "narrow",
    )


def _unit_choice(units: Sequence[str], notes: Sequence[str]) -> Choice:
    return Choice("Loss in", [UNITS[unit] for unit in units], notes=list(notes))


def _summed_up(run: Run, unit: str) -> str:
    """What ablation of its own neurons costs a language, over languages."""
    lost = effects(run, unit)["own"]
    parts = {"random neurons": contrast(run, "random", unit), "other languages": contrast(run, "others", unit)}
    told = [f"Own language: mean {number(lost.mean(), sign=True)}, median {number(lost.median(), sign=True)}"]
    told += [above_random(run, unit)]
    for name, found in parts.items():
        if found.n:
            interval = limits(found.low, found.high, sign=True)
            within = f" (95 % {interval} over {found.n} languages)" if interval else ""
            told.append(f"minus {name} {number(found.value, sign=True)}{within}")
    return f"{'; '.join(filter(None, told))}."


def under_ablation(run: Run) -> list[Panel | None]:
    """Make the panels of whatever else was measured under ablation.

    They show the difference to the intact model where that is known.
    """
    own = ("_loss", "_perplexity", "_bits_per_byte", "_neurons", "_low", "_high", "_null", "_control")
    named = [name for name in run.rows["metric"].unique() if name.startswith("ablated_")]
    metrics = sorted(name.removeprefix("ablated_") for name in named if not name.endswith(own))
    layered = {name: figures for name in metrics if (figures := _draw_layers(run, name))}
    tasks = {name: figures for name in metrics if (figures := _draw_task(run, name))}
    return [
        Panel(
            "Scores by layer when one language's neurons are ablated",
            "Columns: the language whose neurons are ablated. Rows: layers; each cell is the mean over languages. "
            f"{_BESIDE}",
            {str(place): figures for place, figures in enumerate(layered.values())},
            [metric_choice(list(layered), "Measure")],
            "pairs",
        ),
        Panel(
            "Task score when one language's neurons are ablated",
            "Columns: the language whose neurons are ablated. Rows: the language in which the task is then measured. "
            f"{_BESIDE}",
            {str(place): figures for place, figures in enumerate(tasks.values())},
            [metric_choice(list(tasks), "Measure")],
            "pairs",
        ),
    ]


_BESIDE = (
    "Two-sided colours show the difference to the intact model: blue is higher, orange lower. Beside it, the mean over "
    "draws of as many random neurons in every layer."
)


def _draw_layers(run: Run, metric: str) -> list[go.Figure]:
    grids = {
        (kind, end): by_layer_and(run, f"{kind}_{metric}{end}", "other")
        for kind in OFF
        for end in ("", "_low", "_high")
    }
    return _draw(metric, grids, over_layers(run, f"intact_{metric}"), "layer", "layer %{y} without")


def _draw_task(run: Run, metric: str) -> list[go.Figure]:
    grids = {(kind, end): by_pair(run, f"{kind}_{metric}{end}") for kind in OFF for end in ("", "_low", "_high")}
    return _draw(metric, grids, by_language(run, f"intact_{metric}"), "measured in", "%{y} without")


def _draw(
    metric: str, grids: Mapping[tuple[str, str], pd.DataFrame], intact: pd.Series, rows: str, where: str
) -> list[go.Figure]:
    """Draw both grids in the same colours, minus the intact model's values (by row) where they are known."""
    name = words_of(metric).name
    shown = {kind: grids[kind, ""] for kind in OFF if grids[kind, ""].size}
    known = all(intact.reindex(grid.index).notna().all() for grid in shown.values())
    if known:
        grids = {key: grid.sub(intact, axis=0).reindex(grid.index) for key, grid in grids.items()}
        shown = {kind: grids[kind, ""] for kind in shown}
    bound = largest(*shown.values()) if shown else 0
    minus, sign = (", minus the intact model's", "+") if known else ("", "")
    return [
        draw_matrix(
            grid,
            f"{name[:1].upper()}{name[1:]} without {OFF[kind]}{minus}",
            f"{where} {OFF[kind]} %{{x}}<br>{name} %{{z:{sign}.3f}}%{{customdata}}",
            notes=_intervals(grid, grids[kind, "_low"], grids[kind, "_high"], signed=known),
            colours="" if known else "alignment",
            bound=bound,
            digits=f"{sign}.2f",
            axes=("ablated neurons of", rows),
            diagonal=rows != "layer",
        )
        for kind, grid in shown.items()
    ]


def _intervals(grid: pd.DataFrame, low: pd.DataFrame, high: pd.DataFrame, *, signed: bool) -> pd.DataFrame:
    """The interval of every cell; "" where there is none."""
    low, high = (end.reindex(index=grid.index, columns=grid.columns).astype(float) for end in (low, high))
    texts = [
        [in_brackets(a, b, sign=signed) for a, b in zip(*line, strict=True)]
        for line in zip(low.to_numpy().tolist(), high.to_numpy().tolist(), strict=True)
    ]
    return pd.DataFrame(texts, index=grid.index, columns=grid.columns)

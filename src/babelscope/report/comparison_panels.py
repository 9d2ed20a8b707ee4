"""Panels that show several runs together: what training did, where settings differ, the task, and what was frozen."""

from collections.abc import Sequence
from dataclasses import replace

import plotly.graph_objects as go

from babelscope.report.comparable import comparable_pairs
from babelscope.report.figures.comparison import draw_difference, draw_third, null_lines
from babelscope.report.figures.freezing import draw_freezing
from babelscope.report.figures.style import fit_beside
from babelscope.report.figures.task import draw_task, draw_transfer
from babelscope.report.panels import Choice, Panel, metric_choice
from babelscope.report.runs import gather, labels, scores_of, source_of
from babelscope.report.summary import by_third, score_of, transfer_table
from babelscope.report.table import THIRDS, Run
from babelscope.report.words import layer_metrics, words_of


def compare_runs(runs: Sequence[Run]) -> list[Panel]:
    """Make the panels that show all runs together; those without rows are left out."""
    runs = [replace(run, rows=scores_of(run.rows)) for run in runs]
    panels = [_thirds(runs), _differences(runs), _task(runs), _transfer(runs), _freezing(runs)]
    return [panel for panel in panels if panel and panel.views]


def _thirds(runs: Sequence[Run]) -> Panel | None:
    rows = gather(runs)
    metrics = [metric for metric in layer_metrics(rows) if not by_third(rows, metric).empty]
    if rows["step"].nunique() < 2 or not metrics:
        return None
    views = {
        str(place): [
            draw_third(rows, metric, third) for third in THIRDS if third in set(by_third(rows, metric)["third"])
        ]
        for place, metric in enumerate(metrics)
    }
    several = any(len(null_lines(rows, metric, third)) > 1 for metric in metrics for third in THIRDS)
    where = ", in the colour of its run, or of the first of those that share it" if several else ""
    return Panel(
        "What training did to early, middle and last layers",
        "Each line is one run; each point the mean over a third of the layers (without the final norm) and over all "
        f"languages. A dashed line is what chance gives{where}.",
        views,
        [metric_choice(metrics)],
        "grid",
        labels(runs),
    )


def _differences(runs: Sequence[Run]) -> Panel | None:
    rows, names = gather(runs), labels(runs)
    drawn: dict[str, list[go.Figure]] = {}
    bases: set[str] = set()
    for metric in layer_metrics(rows):
        pairs = comparable_pairs(runs, metric)
        figures = [draw_difference(rows, metric, names[run], names[base]) for run, base in pairs]
        if found := [figure for figure in figures if figure]:
            drawn[metric] = found
            bases |= {names[base] for _, base in pairs}
    than = bases.pop() if len(bases) == 1 else "the run named after it"
    return Panel(
        "Where the settings differ",
        f"Every cell is a layer at a step: the value in the named run minus the value in {than}. "
        "Blue is higher than there, orange lower; a single seed stands behind every cell, so read patterns, not cells.",
        {str(place): figures for place, figures in enumerate(drawn.values())},
        [Choice("Metric", [words_of(metric).name for metric in drawn])],
        "pairs",
    )


def _task(runs: Sequence[Run]) -> Panel | None:
    rows = gather(runs)
    titles = {
        "validation_f1": "Validation F1, source language",
        "test_f1": "Test F1, mean over all tested languages",
        "validation_accuracy": "Validation accuracy, source language",
        "test_accuracy": "Test accuracy, mean over all tested languages",
        "train_loss": "Training loss (nats)",
        "validation_loss": "Validation loss, source language (nats)",
    }
    of_task = rows[(rows["layer"] == "") & rows["metric"].isin(titles)]
    steps = of_task.groupby("metric")["step"].nunique()
    shown = [metric for metric in titles if steps.get(metric, 0) > 1]
    if not shown:
        return None
    return Panel(
        "How the task was learnt",
        "Each line is one run, measured at every validation in the language it was trained on unless the title says "
        "otherwise. Compare alignment between runs only where they have learnt the task about equally well.",
        {"": [draw_task(rows, metric, titles[metric]) for metric in shown]},
        shape="grid",
        legend=[] if fit_beside(labels(runs)) else labels(runs),
    )


def _transfer(runs: Sequence[Run]) -> Panel | None:
    table = transfer_table(runs)
    if table.empty:
        return None
    by_score: dict[str, dict[str, str]] = {}
    for label, run in zip(labels(runs), runs, strict=True):
        if label in table:
            by_score.setdefault(score_of(run.rows), {})[label] = source_of(run)
    # every figure has all columns, so that a run has the mark that the legend gives it
    figures = [
        draw_transfer(table[list(sources)].dropna(how="all").reindex(columns=table.columns), sources, score)
        for score, sources in by_score.items()
    ]
    return Panel(
        "How far the task carries into other languages",
        "Only the source language was seen in training: every other language is tested as it is (zero-shot). "
        "Languages are sorted by their mean over the runs, and a stem joins the runs of one language.",
        {"": figures},
        legend=list(table.columns),
    )


def _freezing(runs: Sequence[Run]) -> Panel | None:
    maps = {label: run.manifest.get("trainable") or [] for label, run in zip(labels(runs), runs, strict=True)}
    maps = {label: parts for label, parts in maps.items() if parts}
    if not maps or all(run.rows["step"].nunique() < 2 for run in runs):
        return None
    return Panel(
        "What was trained and what was frozen",
        "Blue parts were trained, grey ones kept their weights bit by bit; a paler blue was trained in part, as with "
        "adapters. Every part has the same height, whatever its size: the numbers are parameters.",
        {"": [draw_freezing(maps)]},
        shape="narrow",
    )

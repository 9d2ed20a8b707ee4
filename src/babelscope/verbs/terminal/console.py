"""What the terminal shows: results go where people look."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, TypeVar

import pandas as pd
import rich.progress
from rich.console import Console

from babelscope.report.conditions import describe_differing, differing_conditions, say_also
from babelscope.report.last_steps import say_early, say_unfinished
from babelscope.report.runs import counted
from babelscope.report.study.replicates import Replicate
from babelscope.report.study.studies import Study, primary_scores, say_ends, studies_of
from babelscope.report.study.tables import (
    pair_differences,
    ranked_settings,
    row_of,
    share_units,
    summarise,
    unit_values,
)
from babelscope.report.summary import by_layer, change_by_layer, settings_table
from babelscope.report.table import THIRDS, Run, sort_layers
from babelscope.report.words import words_of
from babelscope.verbs.terminal.folding import fold

Item = TypeVar("Item")
Key = tuple[str, str, str]
"""Quantity, metric and part of the depth."""
INCOMPLETE = "(incomplete)"
console = Console() if Console().is_terminal else Console(width=120)


def track(items: Iterable[Item], what: str, *, total: int | None = None, completed: int = 0) -> Iterable[Item]:
    """Show how far a loop is, on a terminal only.

    Args:
        items: What the loop is over.
        what: Stands beside the bar.
        total: Number of all items, where they have no length; those that are completed are among them.
        completed: Items that an earlier command has done.
    """
    return rich.progress.track(
        items,
        description=what,
        total=total,
        completed=completed,
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def print_trainable(rows: Sequence[dict[str, Any]]) -> None:
    """Print what is trained and what is frozen, block by block."""
    lines = [[row["part"], f"{row['parameters']:,}", f"{row['trainable']:,}", f"{row['share']:.1%}"] for row in rows]
    show("What trains", ["part", "parameters", "trainable", "share"], lines)


def first_columns(metrics: Iterable[str], wrote: Mapping[str, str]) -> list[str]:
    """Choose a column of every metric, the first that it wrote, and of a whole before its parts ("whole/part").

    `wrote` is in their order, as `score` fills it.
    """
    columns: dict[str, list[str]] = {}
    for column, metric in wrote.items():
        columns.setdefault(metric, []).append(column)
    return [min(columns[metric], key=lambda column: column.count("/")) for metric in metrics if metric in columns]


def print_layers(run: Run, metrics: Sequence[str]) -> None:
    """Print each layer's value, before and after where there are two steps."""
    rows = run.rows.assign(run=run.folder.name)  # in a folder that was renamed, some may carry the earlier name
    changes = {metric: change_by_layer(rows, metric).set_index("layer") for metric in metrics}
    changes = {metric: change for metric, change in changes.items() if len(change)}
    if not changes:
        return
    moved = {metric for metric in changes if by_layer(rows, metric)["step"].nunique() > 1}
    lines = [
        [layer, *(_ends(change, layer, two=metric in moved) for metric, change in changes.items())]
        for layer in sort_layers({layer for change in changes.values() for layer in change.index})
    ]
    show("Every layer, before → after" if moved else "Every layer", ["layer", *changes], lines)


def _ends(change: pd.DataFrame, layer: str, *, two: bool) -> str:
    """Write a layer's first and last value; a score of the token table has no other layer than the first."""
    if layer not in change.index:
        return ""
    first, last = change.loc[layer, ["first", "last"]]
    return f"{first:.3f} → {last:.3f}" if two else f"{last:.3f}"


def print_settings(runs: Sequence[Run]) -> None:
    """Print one line per run: ILO by thirds of the depth, before and after, and what the task scored.

    Without ILO in any of the runs, the scores alone.
    """
    values = settings_table(runs)
    has_ilo = bool(values[[f"ilo_{third}_last" for third in THIRDS]].notna().any(axis=None))
    thirds = THIRDS if has_ilo else ()
    lines = []
    for _, row in values.iterrows():
        ilo = [_pair(row[f"ilo_{third}_first"], row[f"ilo_{third}_last"]) for third in thirds]
        lines.append([row["label"], *ilo, row["score"], _number(row["test"]), _number(row["zero_shot"])])
    title = "source-language test score and mean over the others"
    title = f"ILO by thirds of the depth, before → after; {title}" if has_ilo else title.capitalize()
    show(title, ["run", *(f"ILO {third}" for third in thirds), "score", "source", "zero-shot"], lines)
    for said in filter(None, [say_unfinished(runs), say_also(runs), say_early(runs) if has_ilo else ""]):
        console.print(said, markup=False, highlight=False)


def print_study(replicates: Sequence[Replicate]) -> None:
    """Print one line per setting of a study: means ± half-widths of 95 % intervals, and differences to none.

    Studies of one model and task that were trained or measured in several ways are one table, and each line says which.
    """
    for (title, columns), group in groupby(studies_of(replicates), key=lambda study: (_title(study), _columns(study))):
        studies = [*group]
        lines = [line for study in studies for line in _lines(study, columns)]
        show(title, ["setting", "n", *(name for name, _ in columns), "zero-shot minus none"], lines)
        if any(INCOMPLETE in name for name, *_ in lines):
            console.print(
                f"Settings marked {INCOMPLETE} lack some seeds or source languages; do not compare them with the "
                "others.",
                markup=False,
            )
        if left := sum(len(study.left_out) for study in studies):
            console.print(f"Left out: {counted(left, 'unfinished run')}.")
        for said in filter(None, [said for study in studies for said in (_say_also(study), say_ends(study))]):
            console.print(said, markup=False, highlight=False)


def _say_also(study: Study) -> str:
    """Say in what more than their settings the runs of a study differ; "" where in nothing."""
    said = describe_differing(differing_conditions([run.conditions for run in study.runs]))
    return f"They differ also in {'. '.join(said)}." if said else ""


def _title(study: Study) -> str:
    sources = f" (source languages: {', '.join(study.sources)})" if len(study.sources) > 1 else ""
    return f"{study.model}, task={study.task}: mean ± half-width of the 95 % interval over n seeds{sources}"


def _columns(study: Study) -> list[tuple[str, Key]]:
    """Choose what is shown of a study: the head of each column, and what it is of."""
    metric, score = next(iter(primary_scores(study)), ""), study.score
    scored = [(f"source {score}", ("source", score, "")), (f"zero-shot {score}", ("zero_shot", score, ""))]
    kept = [(f"early {words_of(metric).name}, change", ("kept", metric, "early"))] if metric else []
    return [*scored, *kept]


def _lines(study: Study, columns: Sequence[tuple[str, Key]]) -> list[list[str]]:
    values = unit_values(study)
    ranked, values = ranked_settings(values), share_units(values)
    means, pairs = summarise(values), summarise(pair_differences(values))
    lines = []
    for setting in study.settings:
        found = [row_of(means, setting, key) for _, key in columns]
        units = max((int(row["n"]) for row in found if row is not None), default=0)
        gain = row_of(pairs, setting, ("zero_shot", study.score, ""))
        name = ", ".join(filter(None, [setting, study.variant]))
        name = name if setting in ranked else f"{name} {INCOMPLETE}"
        lines.append([name, str(units), *map(_mean, found), _mean(gain, sign=True)])
    return lines


def _mean(row: pd.Series | None, *, sign: bool = False) -> str:
    if row is None:
        return ""
    mean = f"{row['mean']:+.3f}" if sign or row["quantity"] == "kept" else f"{row['mean']:.3f}"
    return mean if pd.isna(row["half"]) else f"{mean} ± {row['half']:.3f}"


def show(title: str, names: Sequence[str], rows: Sequence[Sequence[str]], *, keys: int = 1) -> None:
    """Print a table of numbers beside the `keys` columns that name a line; one too wide for the terminal is several."""
    console.print(f"\n[bold]{title}[/bold]")
    for table in fold(names, rows, console.width, keys=keys):
        console.print(table)


def _pair(first: float, last: float) -> str:
    once = first == last or pd.isna(first)
    return _number(last) if once else f"{_number(first)} → {_number(last)}"


def _number(value: float) -> str:
    return "" if pd.isna(value) else f"{value:.3f}"

"""Whether scores of layers are of the end of training: its rows may have been removed, or never measured."""

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import pandas as pd

from babelscope.report.comparable import shorten
from babelscope.report.runs import labels, scores_of
from babelscope.report.table import Run


class LastSteps(NamedTuple):
    """Where a run ends; None where it has no such rows."""

    layers: int | None
    """The last step with scores of layers."""
    task: int | None
    """The last step with scores of the task."""


def last_steps(rows: pd.DataFrame) -> LastSteps:
    """Find the last steps in the rows of a run."""
    rows = scores_of(rows)
    layers, task = (rows.loc[(rows["layer"] != "") == of_layers, "step"] for of_layers in (True, False))
    return LastSteps(*(int(steps.max()) if len(steps) else None for steps in (layers, task)))


def say_early(runs: Sequence[Run]) -> str:
    """Name the runs whose scores of layers are of an earlier step than those of the task; "" without any."""
    return say_last([(name, None, last_steps(run.rows)) for name, run in zip(labels(runs), runs, strict=True)])


def say_last(runs: Sequence[tuple[str, Hashable, LastSteps]]) -> str:
    """Name the runs whose scores of layers are of another step than those of the task, or of their replicates.

    Args:
        runs: Name of each, what it has in common with its replicates (None: it has none), and its last steps.
    """
    early = [
        f"at step {last.layers} of {last.task} in {name}"
        for name, _, last in runs
        if last.layers is not None and last.task is not None and last.layers < last.task
    ]
    said = f"Layer scores stop {shorten(early)}. Later rows are missing." if early else ""
    ends: dict[Hashable, dict[int, str]] = {}
    for name, cell, last in runs:
        if cell is not None and last.layers is not None and (last.task is None or last.layers >= last.task):
            ends.setdefault(cell, {}).setdefault(last.layers, name)
    apart = [
        ", ".join(f"{name} at step {step}" for step, name in sorted(found.items()))
        for found in ends.values()
        if len(found) > 1
    ]
    several = f"Runs of one setting end at several steps: {shorten(apart)}." if apart else ""
    return " ".join(filter(None, [said, several]))

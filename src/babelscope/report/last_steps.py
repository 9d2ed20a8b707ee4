"""Whether scores are of the end of training: it may go on, and rows may have been removed, or never measured."""

from collections.abc import Hashable, Mapping, Sequence
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


def say_unfinished(runs: Sequence[Run]) -> str:
    """Name the trainings that have not come to their end, as their manifests say; "" without any."""
    found = [
        f"{name} (last row at {_where(run)})"
        for name, run in zip(labels(runs), runs, strict=True)
        if run.manifest.get("finished") is False and len(run.rows)
    ]
    return f"Not finished, so these scores are not of a whole training: {shorten(found)}." if found else ""


def _where(run: Run) -> str:
    """Say at which step the rows of a run end, and of how many, or in which epoch of how many, as far as is known."""
    step, trainer = int(run.rows["step"].max()), run.config.get("trainer")
    given = trainer if isinstance(trainer, Mapping) else {}
    steps, epochs = (given.get(name) for name in ("max_steps", "max_epochs"))
    if isinstance(steps, int) and steps > 0:
        return f"step {step} of {steps}"
    return f"step {step}" + (f", epoch {int(run.rows['epoch'].max())} of {epochs}" if isinstance(epochs, int) else "")


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

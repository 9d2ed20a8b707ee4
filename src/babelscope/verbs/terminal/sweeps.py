"""What the terminal shows of a sweep: means over seeds, and every job without a result."""

from collections import Counter
from collections.abc import Sequence

import pandas as pd

from babelscope.report.runs import counted
from babelscope.report.sweep.means import GROUP, means_over_seeds
from babelscope.report.sweep.page import TROUBLE
from babelscope.report.sweep.runs import SweepRun, say_ends
from babelscope.sweeps.jobs import Job
from babelscope.verbs.terminal.console import console, show

MOST = 40
"""Lines of the table; the page has all."""


def print_sweep(runs: Sequence[SweepRun]) -> None:
    """Print one line per model, setting, source language and task: means over seeds ± half-widths of 95 % intervals."""
    means = means_over_seeds(runs)
    groups = means.groupby([*GROUP, "score"], sort=False)
    lines = []
    for place, (names, group) in enumerate(groups):
        if place == MOST:
            break
        *shown, score = map(str, names)
        cells = [_mean(group[group["quantity"] == name]) for name in ("source", "zero_shot")]
        lines.append([*shown, str(int(group["n"].max())), score, *cells])
    if lines:
        columns = ["model", "setting", "fine-tuned on", "task", "seeds", "score", "source", "zero-shot"]
        show("Test scores, mean ± half-width of the 95 % interval over seeds", columns, lines, keys=len(GROUP))
    if len(groups) > MOST:
        console.print(f"On the page only: {counted(len(groups) - MOST, 'more row')}.")
    if unfinished := sum(not run.finished for run in runs):
        console.print(f"Excluded from all means: {counted(unfinished, 'unfinished run')}.")
    if said := say_ends(runs):
        console.print(said, markup=False, highlight=False)


def print_trouble(jobs: Sequence[Job]) -> None:
    """Name every job that failed, was interrupted, cannot be read or whose folder is gone."""
    for job in jobs:
        if job.state in TROUBLE:
            console.print(f"{job.state}: {job.folder.name} {job.error}".rstrip(), markup=False, highlight=False)
    counts = Counter(job.state for job in jobs)
    if counts["failed"] or counts["interrupted"]:
        console.print("To rerun them, repeat the sweep command or use babelscope runs FOLDER --retry failed.")


def _mean(rows: pd.DataFrame) -> str:
    """Write the mean of a table with one row; "" for one without."""
    return "".join(
        f"{row['mean']:.3f}" + ("" if pd.isna(row["half"]) else f" ± {row['half']:.3f}") for _, row in rows.iterrows()
    )

"""Means over seeds, per model, setting, source language and task: what the terminal shows of a sweep."""

from collections.abc import Sequence
from math import nan

import pandas as pd

from babelscope.report.study.directions import rank_score
from babelscope.report.study.intervals import t_intervals
from babelscope.report.study.replicates import sort_settings
from babelscope.report.study.studies import shared_languages
from babelscope.report.sweep.runs import SweepRun, name_settings

GROUP = ["model", "setting", "source", "task"]


def means_over_seeds(runs: Sequence[SweepRun]) -> pd.DataFrame:
    """Average the finished runs over seeds: the columns of `GROUP`, score, quantity, mean, half (95 % t), n (seeds).

    Quantities are `source` and `zero_shot`, the unweighted mean over the other languages that all runs of the task
    tested. Several runs of one seed count as one, their mean.
    """
    rows, runs = [], name_settings(runs)
    for task in sorted({run.task for run in runs}):
        done = [run for run in runs if run.task == task and run.finished]
        # runs of one task may be scored differently, such as by F1 and accuracy for spans and other tags
        scored = {id(run): min(run.tests, key=rank_score) for run in done if run.tests}
        for score in sorted(set(scored.values()), key=rank_score):
            tested = [run for run in done if scored.get(id(run)) == score]
            shared = shared_languages([(set(run.tests[score].index), run.source) for run in tested])
            for run in tested:
                values = run.tests[score]
                found = {
                    "source": values.get(run.source, nan),
                    "zero_shot": values[values.index.isin(shared - {run.source})].mean(),
                }
                keys = {name: getattr(run, name) for name in (*GROUP, "seed")} | {"score": score}
                rows += [{**keys, "quantity": quantity, "value": value} for quantity, value in found.items()]
    by = [*GROUP, "score", "quantity"]
    table = pd.DataFrame(rows, columns=[*by, "seed", "value"])
    order = {name: place for place, name in enumerate(sort_settings([run.setting for run in runs]))}
    table = table.groupby([*by, "seed"], sort=True)["value"].mean().reset_index()
    table = table.sort_values(
        [*by, "seed"], key=lambda column: column.map(order) if column.name == "setting" else column
    )
    return t_intervals(table, by)

"""Runs of a sweep, each cut down to the numbers that the page holds."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from babelscope.report.conditions import conditions_of
from babelscope.report.last_steps import LastSteps, last_steps, say_last
from babelscope.report.runs import has_ended, seed_of
from babelscope.report.study.directions import direction_of, is_headline
from babelscope.report.study.replicates import cell_of
from babelscope.report.study.variants import Cell, name_variants
from babelscope.report.summary import at_last_step, thirds
from babelscope.report.table import THIRDS, Run, sort_layers
from babelscope.report.words import layer_metrics

MOMENTS = ("before fine-tuning", "after fine-tuning")
PARTS = ("best layer", *(f"{third} third" for third in THIRDS))
"""Where in the depth an alignment score is read."""


@dataclass(frozen=True)
class Alignment:
    """One score of a run, before and after fine-tuning; NaN where it was not measured."""

    profile: np.ndarray
    """(2, L): mean over languages, by moment and layer."""
    best: tuple[int, int]
    """Place of the best layer, by moment; -1 where none was measured."""
    languages: np.ndarray
    """(2, P, K): by moment, part of the depth and language."""


@dataclass(frozen=True)
class SweepRun:
    """One fine-tuning run."""

    model: str
    task: str
    source: str
    setting: str
    seed: str
    folder: Path
    ended: bool
    """What the manifest says of the end of the training; false without one."""
    tests: dict[str, pd.Series]
    """The last test scores by name, such as "accuracy", each by language."""
    layers: tuple[str, ...]
    """Numbered layers in order."""
    languages: tuple[str, ...]
    """Languages that the alignment scores have."""
    alignment: dict[str, Alignment]
    conditions: dict[str, str] = field(default_factory=dict)
    """What else was configured, by key."""
    last: LastSteps | None = None

    @property
    def finished(self) -> bool:
        """Whether the run was trained to its end and tested."""
        return self.ended and bool(self.tests)


def sweep_run_of(run: Run) -> SweepRun:
    """Cut a run down to what the page of a sweep needs; rows of language pairs are not."""
    rows, (model, task, source, setting) = run.rows, cell_of(run)
    of_layers = rows["layer"] != ""
    scores = rows.loc[~of_layers, "metric"].unique()
    tests = {str(name).removeprefix("test_"): at_last_step(rows, name) for name in scores if name.startswith("test_")}
    layers, languages, alignment = _alignment(rows[of_layers & (rows["other"] == "")])
    return SweepRun(
        model=model,
        task=task,
        source=source,
        setting=setting,
        seed=seed_of(run),
        folder=run.folder,
        ended=has_ended(run),
        tests={name: values for name, values in tests.items() if len(values)},
        layers=layers,
        languages=languages,
        alignment=alignment,
        conditions=conditions_of(run),
        last=last_steps(rows),
    )


def name_settings(runs: Sequence[SweepRun]) -> list[SweepRun]:
    """Call runs of one setting that were not trained and measured alike by what differs, as "none, pool=published"."""
    cells = [Cell(run.model, run.task, run.source, run.setting) for run in runs]
    names = name_variants(cells, [run.conditions for run in runs])
    return [replace(run, setting=", ".join(filter(None, name))) for run, name in zip(runs, names, strict=True)]


def say_ends(runs: Sequence[SweepRun]) -> str:
    """Name the finished runs whose scores of layers do not reach the end of training, or that of their replicates."""
    return say_last(
        [
            (run.folder.name, (run.model, run.task, run.source, run.setting), run.last)
            for run in name_settings(runs)
            if run.finished and run.last
        ]
    )


def parts_of(layers: Sequence[str], best: int) -> list[list[int]]:
    """List the places of the layers in each part of the depth, in the order of `PARTS`."""
    names = thirds(layers)
    return [[best] if best >= 0 else [], *([layers.index(name) for name in names[third]] for third in THIRDS)]


def _alignment(rows: pd.DataFrame) -> tuple[tuple[str, ...], tuple[str, ...], dict[str, Alignment]]:
    """Put the scores of layers at the first and the last step into arrays, without a loop over rows."""
    means = rows[rows["language"] == ""]
    metrics = [name for name in layer_metrics(means) if is_headline(name)]
    layers = [name for name in sort_layers(rows["layer"].unique()) if name.isdecimal()]
    languages = sorted(set(rows["language"].unique()) - {""})
    metric, layer, language = (
        pd.Index(known, dtype=rows[name].dtype).get_indexer(pd.Index(rows[name]))  # -1 where it is none of them
        for name, known in (("metric", metrics), ("layer", layers), ("language", ["", *languages]))
    )
    step, value = rows["step"].to_numpy(), rows["value"].to_numpy()
    known = (metric >= 0) & (layer >= 0) & ~np.isnan(value)
    ends = np.zeros(len(metrics) + 1, dtype=int)  # the last is of what no score is
    np.maximum.at(ends, metric[known], step[known])
    every = np.full((2, len(metrics), len(layers), len(languages) + 1), np.nan)
    # what was measured once has not changed by 0: it has no "after"
    for moment, at in enumerate((step == 0, (step == ends[metric]) & (step > 0))):
        chosen = known & at
        every[moment, metric[chosen], layer[chosen], language[chosen]] = value[chosen]
    found = {name: _read(every[:, place], layers, direction_of(name)) for place, name in enumerate(metrics)}
    return tuple(layers), tuple(languages), found


def _read(values: np.ndarray, layers: Sequence[str], way: int) -> Alignment:
    """Read one score (2, L, 1 + K), whose first language is the mean over all, at every part of the depth."""
    best = [int(np.nanargmax(way * line)) if not np.isnan(line).all() else -1 for line in values[..., 0]]
    by_part = [[_mean(values[moment, places, 1:]) for places in parts_of(layers, best[moment])] for moment in range(2)]
    return Alignment(values[..., 0], (best[0], best[1]), np.array(by_part))


def _mean(values: np.ndarray) -> np.ndarray:
    """Average over layers (L, K); NaN where no layer has a value."""
    count = (~np.isnan(values)).sum(axis=0)
    return np.divide(np.nansum(values, axis=0), count, out=np.full(values.shape[1], np.nan), where=count > 0)

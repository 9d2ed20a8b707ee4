"""What the rows of `babelscope neurons` say, selected for tables and figures; checkpoints and their trends."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import nan, sqrt
from typing import Any

import numpy as np
import pandas as pd

from babelscope.report.figures.style import by_script
from babelscope.report.neurons.words import CRITERIA
from babelscope.report.runs import facts_of, model_of, step_in
from babelscope.report.study.intervals import ROUNDING, Interval, fisher_interval, t_interval
from babelscope.report.table import Run, sort_layers

FEWEST = 4
"""Fewer distinct checkpoints have no trend."""


@dataclass(frozen=True)
class Checkpoint:
    """One run of a model that was measured at several revisions."""

    run: Run
    step: int | None
    """None for a finished model that nobody counted the steps of."""
    same_as: str = ""
    """Name of an earlier checkpoint with the same weights."""

    @property
    def name(self) -> str:
        """The step, or "final"."""
        return "final" if self.step is None else str(self.step)


def without_reading(run: Run) -> Run:
    """Leave out of the metrics where neurons were read, which the manifest says for a whole run."""
    bare = run.rows["metric"].str.replace(r"^(down_input|gate)(\+(down_input|gate))?/", "", regex=True)
    return replace(run, rows=run.rows.assign(metric=bare))


def neuron_manifest(run: Run) -> Mapping[str, Any]:
    """The part of the manifest that is of neurons."""
    return run.manifest.get("neurons") or {}


def shape_of(run: Run) -> tuple[int, int]:
    """Number of blocks, and of neurons in each."""
    layers = neuron_manifest(run)["layers"]
    return len(layers) if isinstance(layers, list) else int(layers), int(neuron_manifest(run)["per_layer"])


def model_value(run: Run, metric: str) -> float:
    """The value of a metric for the whole model and all languages; NaN without one."""
    rows = run.rows[run.rows["metric"] == metric]
    found = rows.loc[(rows["layer"] == "") & (rows["language"] == "") & (rows["other"] == ""), "value"]
    return float(found.iloc[0]) if len(found) else nan


def over_layers(run: Run, metric: str) -> pd.Series:
    """Values by layer; the mean over languages where a metric has only those."""
    rows = run.rows[(run.rows["metric"] == metric) & (run.rows["layer"] != "") & (run.rows["other"] == "")]
    if (rows["language"] == "").any():
        rows = rows[rows["language"] == ""]
    values = rows.groupby("layer")["value"].mean()
    return values.reindex(sort_layers(values.index))


def by_language(run: Run, metric: str) -> pd.Series:
    """Values of the whole model by language."""
    rows = run.rows[(run.rows["metric"] == metric) & (run.rows["layer"] == "") & (run.rows["other"] == "")]
    values = rows[rows["language"] != ""].set_index("language")["value"]
    return values.reindex(by_script(values.index))


def by_pair(run: Run, metric: str) -> pd.DataFrame:
    """Values of the whole model, language x other."""
    rows = run.rows[(run.rows["metric"] == metric) & (run.rows["layer"] == "")]
    rows = rows[(rows["language"] != "") & (rows["other"] != "")]
    grid = rows.pivot(index="language", columns="other", values="value")
    return grid.reindex(index=by_script(grid.index), columns=by_script(grid.columns))


def by_layer_and(run: Run, metric: str, column: str) -> pd.DataFrame:
    """Values layer x `column`, which is "language", or "other" with the mean over languages."""
    rows = run.rows[(run.rows["metric"] == metric) & (run.rows["layer"] != "") & (run.rows[column] != "")]
    rows = rows[rows["other" if column == "language" else "language"] == ""]
    grid = rows.pivot(index="layer", columns=column, values="value")
    return grid.reindex(index=sort_layers(grid.index), columns=by_script(grid.columns))


def criteria_of(run: Run) -> list[str]:
    """The criteria by which regions were found, S3's first."""
    named = {name.removesuffix("_neurons") for name in run.rows["metric"].unique() if name.endswith("_neurons")}
    return sorted(named - {"ablated"}, key=lambda name: (list(CRITERIA).index(name) if name in CRITERIA else 9, name))


def criterion_label(criterion: str) -> str:
    """A criterion in short."""
    return CRITERIA.get(criterion, criterion)


def highest_shared(run: Run) -> float:
    """The highest z-score that two languages can both have in one neuron: the square root of (K - 2) / 2."""
    return sqrt(max(len(by_language(run, "z_neurons")) - 2, 0) / 2)


def threshold_of(run: Run) -> float:
    """The z-score that a key neuron exceeds; NaN where the manifest does not say."""
    return float(((neuron_manifest(run).get("criteria") or {}).get("z") or {}).get("threshold", nan))


def shares_nothing(run: Run, criterion: str) -> bool:
    """Whether no neuron can be of two languages by a criterion, whatever the model."""
    return criterion == "z" and highest_shared(run) <= threshold_of(run) + 1e-5  # a tie is no key neuron


def step_of(run: Run) -> int | None:
    """The step in a revision such as "step=100" or "global_step10000", else that of the rows; None without one."""
    named = step_in(run.manifest.get("revision"))
    return int(run.rows["step"].max()) or None if named is None else named


def lines_of(runs: Sequence[Run]) -> dict[str, list[Checkpoint]]:
    """Order the runs of every model by step, the finished model last; checkpoints with equal weights are marked.

    Where runs differ in what was measured, each way of measuring a model is a line of its own.
    """
    conditions = [_conditions(run) for run in runs]
    differing = [place for place, values in enumerate(zip(*conditions, strict=True)) if len(set(values)) > 1]
    lines: dict[str, list[Run]] = {}
    for run, values in zip(runs, conditions, strict=True):
        name = ", ".join([model_of(run) or run.folder.name, *(values[place] for place in differing)])
        lines.setdefault(name, []).append(run)
    return {name: _mark(sorted(line, key=_order)) for name, line in lines.items()}


def _conditions(run: Run) -> tuple[str, ...]:
    corpus = run.manifest.get("corpus") or {}
    return (
        str(neuron_manifest(run).get("reading", "")),
        str(corpus.get("name", "")),
        f"{facts_of(run).get('Languages', '')} languages",
        f"{neuron_manifest(run).get('found_on', 0)} sentences",
    )


def _order(run: Run) -> tuple[bool, int]:
    step = step_of(run)
    return step is None, step or 0


def _mark(line: Sequence[Run]) -> list[Checkpoint]:
    first: dict[str, str] = {}
    found = []
    for run in line:
        weights = str(run.manifest.get("tensors") or run.manifest.get("weights") or "")
        point = Checkpoint(run, step_of(run))
        found.append(Checkpoint(run, point.step, first.get(weights, "")))
        if weights:
            first.setdefault(weights, point.name)
    return found


def distinct(line: Sequence[Checkpoint]) -> list[Checkpoint]:
    """Leave out checkpoints whose weights were there before."""
    return [point for point in line if not point.same_as]


def trend(line: Sequence[Checkpoint], metric: str) -> Interval:
    """Spearman's correlation of a metric with the step over distinct checkpoints; NaN for fewer than four.

    A correlation of exactly 1 or -1 has no interval: Fisher's has no width there.
    """
    known = [(point.step, model_value(point.run, metric)) for point in distinct(line) if point.step is not None]
    x, y = np.array([pair for pair in known if pair[1] == pair[1]], dtype=float).reshape(-1, 2).T
    found = fisher_interval(x, y) if len(x) >= FEWEST else Interval(nan, nan, nan, len(x))
    return replace(found, low=nan, high=nan) if abs(found.value) > 1 - ROUNDING else found


def effects(run: Run, unit: str = "loss") -> pd.DataFrame:
    """What every region does when it is off: change of loss in its own language, in the others, and by random neurons.

    The unit is "loss" or "bits_per_byte". Columns: own, others (mean), random; index: the region's language.
    """
    off, random = by_pair(run, f"ablated_{unit}"), by_pair(run, f"random_{unit}")
    table = {
        code: {
            "own": off.at[code, code],
            "others": off[code].drop(code).mean(),
            "random": random.at[code, code] if code in random.index and code in random.columns else nan,
        }
        for code in off.columns
        if code in off.index
    }
    return pd.DataFrame.from_dict(table, orient="index", columns=["own", "others", "random"], dtype=float)


def contrast(run: Run, against: str, unit: str = "loss") -> Interval:
    """Own effect minus that `against` "others" or "random", with its interval over languages."""
    table = effects(run, unit)
    return t_interval(table["own"] - table[against])


def above_random(run: Run, unit: str = "loss") -> str:
    """Say in how many languages the own region costs more than random neurons; "" where nobody measured these."""
    table = effects(run, unit).dropna(subset=["own", "random"])
    return f"{(table['own'] > table['random']).sum()} of {len(table)} above random" if len(table) else ""

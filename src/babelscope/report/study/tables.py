"""The tables of a study: pure functions from replicates to small tables of means, intervals and paired differences.

The unit is a pair of seed and source language. With one source language the units are the seeds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import nan

import pandas as pd

from babelscope.report.study.intervals import t_intervals
from babelscope.report.study.replicates import Replicate, sort_settings
from babelscope.report.words import layer_metrics

BASE = "none"
UNIT = ["source", "seed"]
KEYS = ["quantity", "metric", "part"]
PRIMARY = ("mexa", "retrieval", "csls", "cka", "mutual_knn", "ilo")
"""Alignment scores that speak for a study, the first measured one first."""


@dataclass(frozen=True)
class Study:
    """All runs of one model on one task."""

    model: str
    task: str
    score: str
    """What the task is scored by: "accuracy" or "loss"."""
    runs: list[Replicate]
    """Finished runs: those that count."""
    left_out: list[Replicate]
    """Unfinished runs."""

    @cached_property
    def settings(self) -> list[str]:
        """Settings in the order in which they are shown."""
        return sort_settings([run.setting for run in self.runs])

    @cached_property
    def sources(self) -> list[str]:
        """Languages that were fine-tuned on."""
        return sorted({run.source for run in self.runs})

    @cached_property
    def seeds(self) -> list[str]:
        """Seeds, numbers by size."""
        return sorted({run.seed for run in self.runs}, key=lambda seed: (len(seed), seed))

    @cached_property
    def metrics(self) -> list[str]:
        """Scores of layers, those that speak for the study first."""
        found = layer_metrics(
            pd.concat([run.layers.drop_duplicates("metric") for run in self.runs]).assign(language="", other="")
        )
        return sorted(found, key=lambda name: PRIMARY.index(name) if name in PRIMARY else len(PRIMARY))


def studies_of(runs: Sequence[Replicate]) -> list[Study]:
    """Sort runs into studies by model and task; runs without a task, and studies without a finished run, are none."""
    groups: dict[tuple[str, str], list[Replicate]] = {}
    for run in sorted(runs, key=lambda run: (run.model, run.task, run.source, run.setting, run.seed, str(run.folder))):
        if run.task:
            groups.setdefault((run.model, run.task), []).append(run)
    found = []
    for (model, task), group in groups.items():
        done = [run for run in group if run.finished]
        if done:
            unfinished = [run for run in group if not run.finished]
            found.append(Study(model, task, done[0].score, done, unfinished))
    return sorted(found, key=lambda study: (study.model, lower_is_better(study.score), study.task))


def unit_values(study: Study) -> pd.DataFrame:
    """List what each unit scored: setting, source, seed, quantity, metric, part, value.

    Quantities: `source` and `zero_shot` (test score in the source language, unweighted mean over all others), and per
    metric and part of the depth `first`, `last` (mean over languages) and `kept` (last minus first: 0 keeps all).
    Several runs of one unit count as one, their mean.
    """
    ends = _ends_of(study)
    means = ends[ends["language"] == ""].drop(columns="language")
    task = []
    for run in study.runs:
        others = run.tests.drop(run.source, errors="ignore")
        scored = {"source": run.tests.get(run.source, nan), "zero_shot": others.mean()}
        keys = {**_unit(run), "metric": run.score, "part": ""}
        task += [{**keys, "quantity": name, "value": value} for name, value in scored.items()]
    return _once([*_quantities(means, ["first", "last", "kept"]), pd.DataFrame(task)], ["setting", *UNIT, *KEYS])


def language_values(study: Study) -> pd.DataFrame:
    """List what each unit scored by language: setting, source, seed, quantity, metric, part, language, value.

    Quantities: `test` (the task's score), and per metric `first` and `kept` as in `unit_values`.
    """
    ends = _ends_of(study)
    each = ends[ends["language"] != ""]
    names = ["setting", *UNIT]
    units = [tuple(_unit(run).values()) for run in study.runs]
    tests = pd.concat([run.tests for run in study.runs], keys=units, names=[*names, "language"]).rename("value")
    tested = tests.reset_index().assign(quantity="test", metric=study.score, part="")
    return _once([*_quantities(each, ["first", "kept"]), tested], [*names, *KEYS, "language"])


def summarise(values: pd.DataFrame) -> pd.DataFrame:
    """Average over units: setting, quantity, metric, part, mean, half (of the 95 % t interval), n (units)."""
    return t_intervals(values, ["setting", *KEYS])


def summarise_languages(values: pd.DataFrame) -> pd.DataFrame:
    """Average units first, then languages: setting, quantity, metric, part, mean, half, n (languages).

    The source language of a unit does not count among its tests, which are thus named `zero_shot`.
    """
    tested = values["quantity"] == "test"
    chosen = values[~tested | (values["language"] != values["source"])]
    chosen = chosen.assign(quantity=chosen["quantity"].replace("test", "zero_shot"))
    means = chosen.groupby(["setting", *KEYS, "language"], sort=False)["value"].mean().reset_index()
    return t_intervals(means, ["setting", *KEYS])


def pair_differences(values: pd.DataFrame, base: str = BASE) -> pd.DataFrame:
    """List each unit's difference to the same unit of the setting `base`; units without a partner are left out."""
    partner = values[values["setting"] == base].drop(columns="setting")
    keys = [name for name in (*UNIT, *KEYS, "language") if name in values]
    pairs = values[values["setting"] != base].merge(partner, on=keys, suffixes=("", "_base"))
    return pairs.assign(value=pairs["value"] - pairs["value_base"]).drop(columns="value_base")


def transfer_by_language(values: pd.DataFrame, settings: Sequence[str]) -> pd.DataFrame:
    """Average the test score by language (rows) and setting (columns); the row "" is the units' own source language."""
    tests = values[values["quantity"] == "test"]
    own = tests["language"] == tests["source"]
    shown = tests.assign(language=tests["language"].mask(own, ""))
    grid = shown.groupby(["language", "setting"])["value"].mean().unstack("setting")
    return grid.reindex(columns=[name for name in settings if name in grid.columns])


def missing_units(study: Study) -> pd.DataFrame:
    """List what would make the sweep complete but has no finished run: setting, source, seed."""
    done = {(run.setting, run.source, run.seed) for run in study.runs}
    runs = [*study.runs, *study.left_out]
    wanted = [
        (setting, source, seed)
        for setting in sort_settings([run.setting for run in runs])
        for source in sorted({run.source for run in runs})
        for seed in sorted({run.seed for run in runs}, key=lambda seed: (len(seed), seed))
    ]
    return pd.DataFrame([unit for unit in wanted if unit not in done], columns=["setting", "source", "seed"])


def repeated_units(study: Study) -> list[tuple[str, str, str]]:
    """List units that have several finished runs: setting, source, seed."""
    units = pd.Series([(run.setting, run.source, run.seed) for run in study.runs])
    return list(units[units.duplicated()].unique())


def lower_is_better(score: str) -> bool:
    """Tell whether a task score falls as the task is learnt."""
    return score == "loss"


def unit_noun(study: Study, n: int) -> str:
    """Name n units: seeds, or pairs of seed and source language."""
    noun = "seed" if len(study.sources) == 1 else "(seed, source) pair"
    return f"{n} {noun}{'' if n == 1 else 's'}"


def units_of(study: Study) -> str:
    """Name the units: seeds, or pairs of seed and source language."""
    return "seeds" if len(study.sources) == 1 else "pairs of seed and source language"


def _unit(run: Replicate) -> dict[str, str]:
    return {"setting": run.setting, "source": run.source, "seed": run.seed}


def _ends_of(study: Study) -> pd.DataFrame:
    units = [tuple(_unit(run).values()) for run in study.runs]
    joined = pd.concat([run.ends for run in study.runs], keys=units, names=["setting", *UNIT, "row"])
    return joined.reset_index().drop(columns="row").assign(kept=joined["last"].to_numpy() - joined["first"].to_numpy())


def _quantities(ends: pd.DataFrame, names: Sequence[str]) -> list[pd.DataFrame]:
    rest = ends.drop(columns=["first", "last", "kept"])
    return [rest.assign(quantity=name, value=ends[name]) for name in names]


def _once(tables: Sequence[pd.DataFrame], keys: list[str]) -> pd.DataFrame:
    values = pd.concat(tables, ignore_index=True)
    # sorted, so that the order in which runs were found changes not even the last bit of a mean
    return values.groupby(keys, sort=True)["value"].mean().reset_index()

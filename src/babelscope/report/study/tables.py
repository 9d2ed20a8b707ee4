"""The tables of a study: pure functions from replicates to small tables of means, intervals and paired differences.

A run is a unit of seed and source language. Intervals are over seeds: source languages are averaged within one first.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import nan

import pandas as pd

from babelscope.report.last_steps import say_last
from babelscope.report.study.intervals import t_intervals
from babelscope.report.study.replicates import Replicate, sort_seeds, sort_settings
from babelscope.report.study.variants import Cell, name_variants
from babelscope.report.words import layer_metrics, words_of

BASE = "none"
UNIT = ["source", "seed"]
KEYS = ["quantity", "metric", "part"]
PRIMARY = ("mexa", "retrieval", "csls", "cka", "mutual_knn", "ilo")
"""Alignment scores that speak for a study, the first measured one first."""


@dataclass(frozen=True)
class Study:
    """All runs of one model on one task, trained and measured in one way."""

    model: str
    task: str
    score: str
    """What the task is scored by: "accuracy" or "loss"."""
    runs: list[Replicate]
    """Finished runs: those that count."""
    left_out: list[Replicate]
    """Unfinished runs."""
    variant: str = ""
    """The way, where runs of one setting were trained or measured in several, such as "pool=published"."""

    @property
    def name(self) -> str:
        """What tells it from other studies of its model."""
        return ", ".join(filter(None, [self.task, self.variant]))

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
        return sort_seeds(run.seed for run in self.runs)

    @cached_property
    def metrics(self) -> list[str]:
        """Scores of layers, those that speak for the study first."""
        found = layer_metrics(
            pd.concat([run.layers.drop_duplicates("metric") for run in self.runs]).assign(language="", other="")
        )
        return sorted(found, key=lambda name: PRIMARY.index(name) if name in PRIMARY else len(PRIMARY))


def studies_of(runs: Sequence[Replicate]) -> list[Study]:
    """Sort runs into studies by model and task, and by what else differs between runs of one setting.

    Runs without a task, and studies without a finished run, are none.
    """
    groups: dict[tuple[str, str, str], list[Replicate]] = {}
    tuned = sorted(
        (run for run in runs if run.task),
        key=lambda run: (run.model, run.task, run.source, run.setting, run.seed, str(run.folder)),
    )
    cells = [Cell(run.model, run.task, run.source, run.setting) for run in tuned]
    names = name_variants(cells, [run.conditions for run in tuned])
    for run, (setting, variant) in zip(tuned, names, strict=True):
        groups.setdefault((run.model, run.task, variant), []).append(replace(run, setting=setting))
    found = []
    for (model, task, variant), group in groups.items():
        done = [run for run in group if run.finished]
        if done:
            unfinished = [run for run in group if not run.finished]
            found.append(Study(model, task, done[0].score, done, unfinished, variant))
    return sorted(found, key=lambda study: (study.model, lower_is_better(study.score), study.task, study.variant))


def unit_values(study: Study) -> pd.DataFrame:
    """List what each unit scored: setting, source, seed, quantity, metric, part, value.

    Quantities: `source` and `zero_shot` (test score in the source language, unweighted mean over all others), and per
    metric and part of the depth `first`, `last` (mean over languages) and `kept` (last minus first: 0 keeps all).
    Several runs of one unit count as one, their mean. Zero-shot is over the languages that all runs tested.
    """
    ends = _ends_of(study)
    means = ends[ends["language"] == ""].drop(columns="language")
    task, shared = [], set(tested_languages(study)[0])
    for run in study.runs:
        others = run.tests[run.tests.index.isin(shared - {run.source})]
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
    """Average over seeds: setting, quantity, metric, part, mean, half (of the 95 % t interval), n (seeds)."""
    return t_intervals(by_seed(values, ["setting", *KEYS]), ["setting", *KEYS])


def by_seed(values: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Average source languages within a seed: the columns of `by`, then seed and value.

    Seeds that lack one of the source languages of their group are left out.
    """
    known = values.dropna(subset="value")
    wanted = known.groupby([*by])["source"].transform("nunique")
    found = known.groupby([*by, "seed"])["source"].transform("nunique")
    return known[found == wanted].groupby([*by, "seed"], sort=True)["value"].mean().reset_index()


def ranked_settings(values: pd.DataFrame) -> list[str]:
    """List the settings that have every unit (source, seed) of the setting `none`, or of most settings without it."""
    tests = values[values["quantity"].isin(["source", "zero_shot", "test"])].dropna(subset="value")
    units = tests[["setting", *UNIT]].drop_duplicates()
    if (units["setting"] == BASE).any():
        wanted = units.loc[units["setting"] == BASE, UNIT]
    else:
        counts = units.groupby(UNIT).size()
        wanted = counts[counts * 2 > units["setting"].nunique()].reset_index()[UNIT]
    had = units.merge(wanted, on=UNIT).groupby("setting").size()
    return [str(name) for name in had.index[had == len(wanted)]]


def share_units(values: pd.DataFrame) -> pd.DataFrame:
    """Keep of the ranked settings, score by score, the units that they all have; of the others everything."""
    ranked = ranked_settings(values)
    keys = [name for name in (*KEYS, "language") if name in values]
    rows = values[values["setting"].isin(ranked)].dropna(subset="value")
    everywhere = rows.groupby([*keys, *UNIT])["setting"].transform("nunique")
    rows = rows[everywhere == rows.groupby(keys)["setting"].transform("nunique")]
    return pd.concat([rows, values[~values["setting"].isin(ranked)]]).sort_index()


def ranked_values(values: pd.DataFrame) -> pd.DataFrame:
    """Select the ranked settings, on the units that they all have."""
    shared = share_units(values)
    return shared[shared["setting"].isin(ranked_settings(values))]


def summarise_languages(values: pd.DataFrame) -> pd.DataFrame:
    """Average runs first, then languages: setting, quantity, metric, part, mean, half, n (languages).

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


def tested_languages(study: Study) -> tuple[list[str], list[str]]:
    """List the languages that all runs tested, and those that only some did; a run's own source language is no test.

    Runs that tested no other language are left out of the comparison.
    """
    tests = [(set(run.tests.index), run.source) for run in study.runs]
    shared = shared_languages(tests)
    tested = {name for found, source in tests if found - {source} for name in (*found, source)}
    return sorted(shared), sorted(tested - shared)


def shared_languages(tests: Sequence[tuple[set[str], str]]) -> set[str]:
    """Find the languages that all runs tested or were trained on; runs that tested no other language do not count.

    Args:
        tests: of each run the tested languages, and its own.
    """
    known = [found | {source} for found, source in tests if found - {source}]
    return set.intersection(*known) if known else set()


def missing_units(study: Study) -> pd.DataFrame:
    """List what would make the sweep complete but has no finished run: setting, source, seed."""
    done = {(run.setting, run.source, run.seed) for run in study.runs}
    runs = [*study.runs, *study.left_out]
    wanted = [
        (setting, source, seed)
        for setting in sort_settings([run.setting for run in runs])
        for source in sorted({run.source for run in runs})
        for seed in sort_seeds(run.seed for run in runs)
    ]
    return pd.DataFrame([unit for unit in wanted if unit not in done], columns=["setting", "source", "seed"])


def say_ends(study: Study) -> str:
    """Name the runs whose scores of layers do not reach the end of their training, or that of their replicates."""
    return say_last([(run.folder.name, (run.setting, run.source), run.last) for run in study.runs])


def repeated_units(study: Study) -> list[tuple[str, str, str]]:
    """List units that have several finished runs: setting, source, seed."""
    units = pd.Series([(run.setting, run.source, run.seed) for run in study.runs])
    return list(units[units.duplicated()].unique())


def lower_is_better(score: str) -> bool:
    """Tell whether a task score falls as the task is learnt."""
    return score == "loss"


def direction_of(metric: str) -> int:
    """Tell which way an alignment score is better: 1 up, -1 down (languages further apart), 0 neither."""
    return {"alignment": 1, "separability": -1}.get(words_of(metric).kind, 0)


def is_headline(metric: str) -> bool:
    """Tell whether up or down is better for a score, and it is no half of another score."""
    parts = {"bridge", "reach"}  # of ILO
    halves = ("_to", "_from", "_shifted", "_removed", "_centred")
    return bool(direction_of(metric)) and metric not in parts and not metric.endswith(halves)


def directed_metrics(study: Study) -> list[str]:
    """Select the scores for which up or down is better; halves of other scores are left to the curves."""
    return [name for name in study.metrics if is_headline(name)]


def primary_scores(study: Study) -> list[str]:
    """Select the scores by which the claims are measured, the one that speaks for the study first."""
    return [name for name in PRIMARY if name in study.metrics] or directed_metrics(study)[:1]


def units_of(study: Study) -> str:
    """Name the units of intervals: seeds, and the source languages where there are several."""
    return f"seeds{sources_words(study)}"


def sources_words(study: Study) -> str:
    """Say for which source languages numbers hold; "" for a single one."""
    return f", for these source languages: {', '.join(study.sources)}" if len(study.sources) > 1 else ""


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

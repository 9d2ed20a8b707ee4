"""The tables of a study: pure functions from replicates to small tables of means, intervals and paired differences.

A run is a unit of seed and source language. Intervals are over seeds: source languages are averaged within one first.
"""

from collections.abc import Sequence
from math import nan

import pandas as pd

from babelscope.report.study.intervals import t_intervals
from babelscope.report.study.replicates import Replicate
from babelscope.report.study.studies import Study, tested_languages

BASE = "none"
UNIT = ["source", "seed"]
KEYS = ["quantity", "metric", "part"]


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


def row_of(table: pd.DataFrame, setting: str, key: tuple[str, str, str]) -> pd.Series | None:
    """Return the row of a summary of one setting and (quantity, metric, part), if there is one."""
    rows = table[(table["setting"] == setting) & (table[KEYS] == list(key)).all(axis=1)]
    return None if rows.empty else rows.iloc[0]


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

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from tests.report.study_runs import make_run, make_study

from babelscope.report.study import studies, tables
from babelscope.report.study.replicates import replicate_of


def study_of(runs):
    (found,) = studies.studies_of([replicate_of(run) for run in runs])
    return found


def select(table, **keys):
    for name, value in keys.items():
        table = table[table[name] == value]
    return table


@pytest.fixture(scope="module")
def study():
    return study_of(make_study(("none", "early"), range(4), ("eng_Latn", "ind_Latn")))


@pytest.fixture(scope="module")
def values(study):
    return tables.unit_values(study)


def zero_shot_by_hand(run):
    rows, source = run.rows, run.manifest["source_language"]
    tests = rows[(rows["metric"] == "test_accuracy") & (rows["language"] != source)]
    return tests["value"].mean()


def by_hand(setting):
    """Average the two source languages within each seed."""
    runs = [make_study((setting,), range(4), (source,)) for source in ("eng_Latn", "ind_Latn")]
    return np.array([[zero_shot_by_hand(run) for run in found] for found in runs]).mean(axis=0)


def test_means_over_seeds_are_scipys(values):
    expected = by_hand("early")
    low, high = stats.t.interval(0.95, 3, loc=expected.mean(), scale=stats.sem(expected))
    row = select(tables.summarise(values), setting="early", quantity="zero_shot").iloc[0]
    assert row["n"] == 4
    assert (row["mean"] - row["half"], row["mean"] + row["half"]) == pytest.approx((low, high))


def test_differences_are_paired_by_seed_and_source(values):
    expected = stats.ttest_rel(by_hand("early"), by_hand("none")).confidence_interval()
    row = select(tables.summarise(tables.pair_differences(values)), setting="early", quantity="zero_shot").iloc[0]
    assert (row["mean"] - row["half"], row["mean"] + row["half"]) == pytest.approx((expected.low, expected.high))
    assert row["n"] == 4


def test_a_pair_needs_both():
    runs = [*make_study(("none",), range(3)), *make_study(("early",), range(1, 5))]
    pairs = tables.pair_differences(tables.unit_values(study_of(runs)))
    assert sorted(pairs["seed"].unique()) == ["1", "2"]


def test_intervals_over_languages_leave_the_units_source_out(study):
    by_language = tables.language_values(study)
    row = select(tables.summarise_languages(by_language), setting="none", quantity="zero_shot").iloc[0]
    assert row["n"] == 8  # each source is a target of the other
    tests = select(by_language, setting="none", quantity="test")
    means = tests[tests["language"] != tests["source"]].groupby("language")["value"].mean()
    assert row["mean"] == pytest.approx(means.mean())
    assert row["half"] == pytest.approx(stats.sem(means) * stats.t.ppf(0.975, 7))


def test_transfer_sets_the_source_apart(study):
    by_language = tables.language_values(study)
    english = by_language[by_language["source"] == "eng_Latn"]
    grid = tables.transfer_by_language(english, study.settings)
    assert list(grid.columns) == ["none", "early"]
    assert "eng_Latn" not in grid.index
    expected = select(english, quantity="test", setting="early", language="deu_Latn")["value"].mean()
    assert grid.loc["deu_Latn", "early"] == pytest.approx(expected)


def test_one_run_has_no_interval():
    table = tables.summarise(tables.unit_values(study_of(make_study(("none",), (0,)))))
    assert (table["n"] == 1).all()
    assert table["half"].isna().all()


def test_the_order_of_the_runs_changes_nothing(study, values):
    again = study_of(make_study(("none", "early"), range(4), ("eng_Latn", "ind_Latn"))[::-1])
    pd.testing.assert_frame_equal(tables.unit_values(again), values, check_exact=True)
    assert again.settings == study.settings


def test_settings_with_all_units_of_none_are_ranked_on_what_they_share():
    runs = [*make_study(("none",), range(3)), *make_study(("early",), range(5)), *make_study(("last",), range(2))]
    values = tables.unit_values(study_of(runs))
    assert tables.ranked_settings(values) == ["early", "none"]
    shared = select(tables.share_units(values), quantity="zero_shot")
    assert shared.groupby("setting")["seed"].agg("".join).to_dict() == {"early": "012", "last": "01", "none": "012"}


def test_without_none_most_settings_say_which_units_count():
    runs = [*make_study(("early", "last"), range(3)), *make_study(("guard",), range(1))]
    assert tables.ranked_settings(tables.unit_values(study_of(runs))) == ["early", "last"]


def test_zero_shot_is_over_the_languages_that_all_runs_tested():
    few = make_run("early", 0)
    rows = few.rows[~((few.rows["metric"] == "test_accuracy") & few.rows["language"].isin(["tha_Thai", "jpn_Jpan"]))]
    found = study_of([make_run("none", 0), replace(few, rows=rows)])
    assert studies.tested_languages(found)[1] == ["jpn_Jpan", "tha_Thai"]
    tests = found.runs[1].tests if found.runs[1].setting == "none" else found.runs[0].tests
    value = select(tables.unit_values(found), setting="none", quantity="zero_shot")["value"].item()
    assert value == pytest.approx(tests.drop(["eng_Latn", "tha_Thai", "jpn_Jpan"]).mean())

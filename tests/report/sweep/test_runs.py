from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from tests.report.sweep.sweep_runs import LANGUAGES, make_run, make_sweep

from babelscope.report.sweep.means import means_over_seeds, shared_languages
from babelscope.report.sweep.runs import PARTS, sweep_run_of


def select(rows, **keys):
    for name, value in keys.items():
        rows = rows[rows[name] == value]
    return rows


def test_a_run_is_cut_to_its_first_and_last_measurement():
    run = make_run("lab_xlmr", "early", steps=3, metrics=("mexa", "separability", "reach"), pairs=True)
    found = sweep_run_of(run)
    assert (found.model, found.task, found.source, found.setting, found.seed) == (
        "lab_xlmr",
        "topic",
        "eng_Latn",
        "early",
        "0",
    )
    assert sorted(found.alignment) == ["mexa", "separability"]  # reach is a half of ILO
    assert found.layers == tuple("0123456")
    assert found.languages == tuple(sorted(LANGUAGES))
    for moment, step in enumerate((0, 80)):
        rows = select(run.rows, step=step, metric="mexa")
        means = select(rows, language="").set_index("layer")["value"]
        assert found.alignment["mexa"].profile[moment] == pytest.approx(means[list(found.layers)].to_numpy())
        best = means.idxmax()
        assert found.layers[found.alignment["mexa"].best[moment]] == best
        of_best = select(rows, layer=best).set_index("language")["value"]
        at = found.alignment["mexa"].languages[moment]
        assert at[PARTS.index("best layer")] == pytest.approx(of_best[list(found.languages)].to_numpy())
        early = rows[rows["layer"].isin(["0", "1", "2"])].groupby("language")["value"].mean()
        assert at[PARTS.index("early third")] == pytest.approx(early[list(found.languages)].to_numpy())
    worst = select(run.rows, step=80, metric="separability", language="").set_index("layer")["value"].idxmin()
    assert found.layers[found.alignment["separability"].best[1]] == worst  # lower is better
    assert (
        found.tests["accuracy"]["deu_Latn"]
        == select(run.rows, metric="test_accuracy", language="deu_Latn")["value"].item()
    )
    assert found.finished


def test_what_was_measured_once_has_no_after():
    found = sweep_run_of(make_run(steps=1, tested=False)).alignment["mexa"]
    assert np.isnan(found.profile[1]).all()
    assert found.best[1] == -1
    assert np.isnan(found.languages[1]).all()
    assert found.best[0] >= 0


def test_a_run_without_rows_or_of_an_older_version_is_cut_too():
    run = make_run()
    empty = sweep_run_of(replace(run, rows=run.rows.iloc[:0]))
    assert (empty.finished, empty.alignment, empty.layers) == (False, {}, ())
    older = sweep_run_of(replace(run, manifest={}, config={"task": {"name": "topic", "language": "eng_Latn"}}))
    assert (older.model, older.seed, older.setting, older.finished) == ("", "", "none", False)
    assert not sweep_run_of(make_run(finished=False)).finished
    assert not sweep_run_of(make_run(tested=False)).finished


def test_means_are_scipys_over_seeds():
    runs = [sweep_run_of(run) for run in make_sweep(("lab_xlmr", "lab_mt5"), seeds=range(4))]
    table = means_over_seeds(runs)
    for setting in ("none", "early"):
        chosen = [run for run in runs if (run.model, run.setting) == ("lab_mt5", setting)]
        values = [run.tests["accuracy"].drop("eng_Latn").mean() for run in chosen]
        low, high = stats.t.interval(0.95, 3, loc=np.mean(values), scale=stats.sem(values))
        row = select(table, model="lab_mt5", setting=setting, quantity="zero_shot").iloc[0]
        assert (row["mean"] - row["half"], row["mean"] + row["half"], row["n"]) == pytest.approx((low, high, 4))
    assert set(table["score"]) == {"accuracy"}


def test_the_same_seed_twice_counts_once_and_unfinished_runs_do_not():
    runs = [sweep_run_of(make_run(seed=seed)) for seed in (0, 1)]
    table = means_over_seeds([*runs, runs[0], sweep_run_of(make_run(seed=2, tested=False))])
    assert table.equals(means_over_seeds(runs))
    assert (table["n"] == 2).all()
    assert means_over_seeds([]).empty


def test_zero_shot_is_over_languages_that_all_tested():
    tests = [({"a", "b", "c"}, "a"), ({"b", "c"}, "a"), ({"z"}, "z")]  # the last tested no other language
    assert shared_languages(tests) == {"a", "b", "c"}
    assert shared_languages([]) == set()

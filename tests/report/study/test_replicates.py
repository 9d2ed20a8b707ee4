from dataclasses import replace

import pandas as pd
import pytest
from tests.report.study_runs import make_run, make_study

from babelscope.report.runs import name_of_setting
from babelscope.report.study.replicates import is_study, replicate_of, sort_settings
from babelscope.report.summary import by_third


def test_repeated_seeds_of_one_setting_are_a_study():
    assert is_study(make_study(("none",), (0, 1)))
    assert not is_study(make_study(("none", "early"), (0,)))
    assert not is_study([make_run("none", 0), make_run("none", 1, "ind_Latn"), make_run("none", 1, task="lm")])
    assert not is_study([make_run("none", 0), make_run("none", 0)])
    without_task = [replace(run, config={"seed": run.config["seed"]}) for run in make_study(("none",), (0, 1))]
    assert not is_study(without_task)


def test_ends_are_the_thirds_of_the_first_and_last_step():
    run = make_run("none", 3)
    ends = replicate_of(run).ends.set_index(["metric", "language", "part"])
    thirds = by_third(run.rows, "mexa").set_index(["step", "third"])["value"]
    for part in ("early", "middle", "last"):
        assert ends.loc[("mexa", "", part), "first"] == pytest.approx(thirds[0, part])
        assert ends.loc[("mexa", "", part), "last"] == pytest.approx(thirds[80, part])
    chosen = run.rows[(run.rows["metric"] == "mexa") & (run.rows["language"] == "deu_Latn") & (run.rows["step"] == 80)]
    later = chosen[chosen["layer"].isin(["3", "4", "5", "6"])]["value"].mean()
    assert ends.loc[("mexa", "deu_Latn", "later"), "last"] == pytest.approx(later)


def test_what_was_measured_once_has_not_changed():
    ends = replicate_of(make_run("none", steps=1)).ends
    assert ends["first"].notna().all()
    assert ends["last"].isna().all()


def test_drift_starts_at_one():
    run = make_run("none", metrics=("drift_knn",))
    late = replace(run, rows=run.rows[(run.rows["step"] > 0) | ~run.rows["metric"].str.startswith("drift")])
    extra = pd.DataFrame([{**run.rows.iloc[0].to_dict(), "metric": "ilo", "step": 0}])
    ends = replicate_of(replace(run, rows=pd.concat([late.rows, extra], ignore_index=True))).ends
    assert (ends.loc[ends["metric"] == "drift_knn", "first"] == 1).all()


def test_a_run_without_tests_is_unfinished():
    assert replicate_of(make_run("none")).finished
    assert not replicate_of(make_run("none", tested=False)).finished
    assert not replicate_of(make_run("none", finished=False)).finished
    assert replicate_of(make_run("none", finished=True)).finished
    assert not replicate_of(replace(make_run("none"), manifest={})).finished


def test_layers_below_which_everything_is_frozen():
    found = [replicate_of(make_run(name)).frozen_layers for name in ("none", "early", "early_half")]
    assert found == [[], ["0", "1", "2"], ["0", "1", "2", "3"]]
    assert replicate_of(make_run("early", trainable=[])).frozen_layers == []


def test_settings_have_the_studys_name_or_are_named_by_what_they_are():
    run = make_run("early", name=False)
    assert name_of_setting(run) == "early"
    lora = replace(run, manifest={"setting": {"freeze": "early", "adapter": "lora"}})
    assert name_of_setting(lora) == "early+lora"
    assert name_of_setting(replace(run, manifest={})) == "none"
    for config, name in (
        ({"freeze": {"_target_": "early", "share": 0.25, "blocks_frozen": None}}, "early"),
        ({"freeze": {"share": 0.75}}, "early share=0.75"),
        ({"freeze": {"share": 0.25, "blocks_frozen": 3}}, "early blocks_frozen=3"),
        ({"callbacks": {"alignment_guard": {"tolerance": 0.05}}}, "early+guard"),
        ({"alignment": {"weight": 1.0}}, "early+contrast"),
        ({"alignment": None, "callbacks": {"checkpoint": {}}}, "early"),
    ):
        assert name_of_setting(replace(run, config=config)) == name
    assert sort_settings(["zebra", "last", "none", "early_half", "early"]) == [
        "none",
        "early",
        "early_half",
        "last",
        "zebra",
    ]

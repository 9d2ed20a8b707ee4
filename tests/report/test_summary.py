import math
from dataclasses import replace

import pandas as pd
import pytest

from babelscope.report import runs as naming
from babelscope.report import summary, table


def layer_rows(values, metric="ilo", step=0, run="a"):
    return [
        {
            "run": run,
            "step": step,
            "epoch": step,
            "layer": layer,
            "metric": metric,
            "language": "",
            "other": "",
            "value": v,
        }
        for layer, v in values.items()
    ]


def task_row(metric, language, value, step=1):
    keys = {"run": "a", "step": step, "epoch": step, "layer": "", "other": ""}
    return keys | {"metric": metric, "language": language, "value": value}


FIRST = {"0": 0.1, "1": 0.2, "2": 0.6, "3": 0.8, "4": 0.4, "final": 0.9}
LAST = {"0": 0.3, "1": 0.1, "2": 0.4, "3": 0.2, "4": 0.5, "final": 0.0}


@pytest.fixture
def run(tmp_path):
    rows = layer_rows(FIRST) + layer_rows(LAST, step=1) + layer_rows({"0": 1.0}, "separability", step=1)
    # rows per language and per pair must not leak into a layer's mean
    rows += [row | {"language": "deu_Latn", "value": 9.0} for row in layer_rows(FIRST)]
    rows += [row | {"language": "deu_Latn", "other": "eng_Latn", "value": 9.0} for row in layer_rows(FIRST)]
    rows += [task_row("test_accuracy", "deu_Latn", 0.0, step=0), task_row("validation_accuracy", "eng_Latn", 0.7)]
    rows += [
        task_row("test_accuracy", name, v) for name, v in {"eng_Latn": 0.9, "deu_Latn": 0.5, "tha_Thai": 0.2}.items()
    ]
    manifest = {"source_language": "eng_Latn", "setting": {"freeze": "early", "adapter": "none"}}
    return table.Run(tmp_path / "a", {}, manifest, pd.DataFrame(rows))


@pytest.mark.parametrize(
    ("number", "sizes"),
    [(0, (0, 0, 0)), (1, (1, 0, 0)), (2, (1, 1, 0)), (5, (2, 2, 1)), (7, (3, 2, 2)), (13, (5, 4, 4))],
)
def test_thirds_cut_the_depth_evenly_and_leave_final_out(number, sizes):
    cut = summary.thirds(["final", *(str(i) for i in reversed(range(number)))])
    assert tuple(len(layers) for layers in cut.values()) == sizes
    assert [layer for layers in cut.values() for layer in layers] == [str(i) for i in range(number)]


def test_every_run_is_cut_by_its_own_depth():
    shallow, deep = ({str(i): float(i) for i in range(layers)} for layers in (7, 13))
    rows = pd.DataFrame(layer_rows(shallow, run="shallow") + layer_rows(deep, run="deep"))
    together = summary.by_third(rows, "ilo").set_index(["run", "third"])["value"]
    assert together["shallow"].to_dict() == {"early": 1.0, "middle": 3.5, "last": 5.5}
    assert together["deep"].to_dict() == {"early": 2.0, "middle": 6.5, "last": 10.5}


def test_the_table_of_settings_by_hand(run):
    row = summary.settings_table([run]).iloc[0]
    assert row["ilo_early_first"] == pytest.approx((0.1 + 0.2) / 2)
    assert row["ilo_middle_first"] == pytest.approx((0.6 + 0.8) / 2)
    assert row["ilo_last_first"] == pytest.approx(0.4)
    assert row["ilo_early_last"] == pytest.approx(0.2)
    assert row["ilo_middle_last"] == pytest.approx(0.3)
    assert row["ilo_last_last"] == pytest.approx(0.5)
    assert row["separability_early_last"] == 1
    assert math.isnan(row["separability_middle_last"])
    assert (row["score"], row["validation"], row["test"]) == ("accuracy", 0.7, 0.9)
    assert row["zero_shot"] == pytest.approx((0.5 + 0.2) / 2)
    assert (row["label"], row["freeze"], row["source_language"]) == ("freeze=early", "early", "eng_Latn")


def test_a_run_without_a_task_has_no_score(run):
    probe = table.Run(run.folder, {}, {}, run.rows[run.rows["layer"] != ""])
    row = summary.settings_table([probe]).iloc[0]
    assert row["score"] == ""
    assert row[["validation", "test", "zero_shot"]].isna().all()
    assert summary.transfer_table([probe]).empty
    assert row["label"] == "a"


def test_transfer_is_read_at_the_last_tested_step(run):
    transfer = summary.transfer_table([run])
    assert transfer["freeze=early"].to_dict() == {"eng_Latn": 0.9, "deu_Latn": 0.5, "tha_Thai": 0.2}


def test_best_layers_and_changes_by_hand(run):
    best = summary.best_layers(run.rows, "ilo")
    assert best["highest_layer"].tolist() == ["final", "4"]
    assert best["lowest_layer"].tolist() == ["0", "final"]
    assert best["highest"].tolist() == [0.9, 0.5]
    assert best["lowest"].tolist() == [0.1, 0.0]
    change = summary.change_by_layer(run.rows, "ilo").set_index("layer")["change"]
    assert change.to_dict() == pytest.approx({layer: LAST[layer] - FIRST[layer] for layer in FIRST})


def test_labels_name_what_differs(run, tmp_path):
    def make(name, seed=1, **setting):
        manifest = {"model": "lab", "setting": {"freeze": "none", "adapter": "none"} | setting}
        return table.Run(tmp_path / name, {"seed": seed}, manifest, run.rows)

    assert naming.labels([make("a"), make("b", freeze="early")]) == ["freeze=none", "freeze=early"]
    assert naming.labels([make("a"), make("b", seed=2, adapter="lora")]) == [
        "adapter=none, seed=1",
        "adapter=lora, seed=2",
    ]
    assert naming.labels([make("a"), make("b")]) == ["freeze=none (a)", "freeze=none (b)"]
    assert naming.labels([make("x/a"), make("y/a")]) == ["freeze=none (a) #1", "freeze=none (a) #2"]
    probe = table.Run(tmp_path / "p", {"seed": 1}, {"model": "other"}, run.rows)
    trained = [make("a"), make("b", freeze="early")]  # what a probe lacks, such as an adapter, is no difference
    assert naming.labels([*trained, probe]) == ["lab, freeze=none", "lab, freeze=early", "other"]
    earlier = replace(trained[0], manifest=trained[0].manifest | {"revision": "step=5"})
    assert naming.labels([trained[0], earlier]) == ["a", "step=5"]  # unless nothing else is
    early, none = make("a", freeze="early"), make("b")
    assert [kept.folder.name for kept in naming.baseline_first([early, none])] == ["b", "a"]


def test_no_machine_folder_is_a_model_name(run):
    named = table.Run(run.folder, {"model": {"name": "lab_xlmr"}}, {"model": "/home/me/cache/0f9a"}, run.rows)
    bare = table.Run(run.folder, {}, {"model": "/home/me/checkpoint"}, run.rows)
    hub = table.Run(run.folder, {"model": {"name": "xlmr_base"}}, {"model": "FacebookAI/xlm-roberta-base"}, run.rows)
    models = [naming.model_of(one) for one in (named, bare, hub)]
    assert models == ["lab_xlmr", "checkpoint", "FacebookAI/xlm-roberta-base"]

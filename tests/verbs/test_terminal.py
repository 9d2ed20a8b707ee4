"""What the terminal shows of a run in which something was not measured, or only once."""

from dataclasses import replace

import pandas as pd
import pytest
from rich.console import Console

from babelscope.report.table import COLUMNS, Run
from babelscope.verbs.terminal import console


@pytest.fixture
def make_run(tmp_path):
    """Make a run of values by metric, step and layer, with a test score."""

    def make(**metrics):
        rows = [("r", 40, 1, "", "test_accuracy", "eng_Latn", "", 0.5)]
        rows += [
            ("r", step, step // 40, layer, metric, "", "", value)
            for metric, steps in metrics.items()
            for step, value in steps.items()
            for layer in "012"
        ]
        return Run(tmp_path, {}, {}, pd.DataFrame(rows, columns=list(COLUMNS)))

    return make


@pytest.fixture
def shown(capsys):
    return lambda: "".join(capsys.readouterr())


def test_without_ilo_the_scores_stand_alone(make_run, shown):
    console.print_settings([make_run(mexa={0: 0.1, 40: 0.2})])
    text = shown()
    assert "Source-language test score" in text
    assert "0.500" in text
    assert "ILO" not in text
    assert "→" not in text


def test_one_run_with_ilo_is_enough_for_its_columns(make_run, shown):
    console.print_settings([make_run(mexa={0: 0.1}), make_run(ilo={0: 0.1, 40: 0.2})])
    text = shown()
    assert "ILO by thirds of the depth, before → after; source-language test score" in text
    assert "0.100 → 0.200" in text


def test_many_metrics_are_shown_whole_in_a_narrow_terminal(make_run, shown, monkeypatch):
    names = [f"separability_of_{letter}" for letter in "abcdefgh"]
    monkeypatch.setattr(console, "console", Console(width=80))
    console.print_layers(make_run(**{name: {0: 0.123} for name in names}), names)
    text = shown()
    assert all(name in text for name in names)
    assert text.count("0.123") == 3 * len(names)
    assert "…" not in text
    assert text.count("layer ") == 3


def test_a_run_without_any_of_the_metrics_has_no_table_of_layers(make_run, shown):
    console.print_layers(make_run(mexa={0: 0.1, 40: 0.2}), ["ilo", "separability"])
    assert shown() == ""


def test_what_was_measured_once_has_no_arrow(make_run, shown):
    console.print_layers(make_run(ilo={0: 0.1, 40: 0.2}, separability={0: 0.9}), ["ilo", "separability"])
    text = shown()
    assert "0.100 → 0.200" in text
    assert "0.900 → " not in text


def test_what_only_one_layer_has_leaves_the_others_empty(make_run, shown):
    run = make_run(ilo={0: 0.1, 40: 0.2}, script_neighbours={0: 0.3, 40: 0.4})
    elsewhere = (run.rows["metric"] == "script_neighbours") & (run.rows["layer"] != "0")
    run = replace(run, rows=run.rows[~elsewhere])
    console.print_layers(run, ["ilo", "script_neighbours"])
    text = shown()
    assert text.count("0.100 → 0.200") == 3
    assert text.count("0.300 → 0.400") == 1


def test_rows_of_a_renamed_folder_are_those_of_one_run(make_run, shown):
    run = make_run(ilo={0: 0.1, 40: 0.2})
    run.rows.loc[run.rows["step"] == 40, "run"] = "renamed"
    console.print_layers(run, ["ilo"])
    assert shown().count("0.100 → 0.200") == 3


def test_a_whole_is_shown_before_its_parts():
    wrote = {
        "ilo": "ilo",
        "bridge": "ilo",
        "scripts/Arab": "scripts",
        "scripts": "scripts",
        "scripts_control": "scripts",
    }
    wrote |= {"mine/scripts/Arab": "mine", "mine/scripts": "mine"}
    assert console.first_columns(["scripts", "ilo", "mine", "absent"], wrote) == ["scripts", "ilo", "mine/scripts"]

"""What the terminal shows of a run in which something was not measured, or only once."""

import pandas as pd
import pytest

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


def test_a_run_without_ilo_has_no_arrows(make_run, shown):
    console.print_settings([make_run(mexa={0: 0.1, 40: 0.2})])
    table = shown().partition("zero-shot")[2]
    assert "0.500" in table
    assert "→" not in table


def test_a_run_without_any_of_the_metrics_has_no_table_of_layers(make_run, shown):
    console.print_layers(make_run(mexa={0: 0.1, 40: 0.2}), ["ilo", "separability"])
    assert shown() == ""


def test_what_was_measured_once_has_no_arrow(make_run, shown):
    console.print_layers(make_run(ilo={0: 0.1, 40: 0.2}, separability={0: 0.9}), ["ilo", "separability"])
    text = shown()
    assert "0.100 → 0.200" in text
    assert "0.900 → " not in text

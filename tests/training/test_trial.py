"""A trial by Lightning's fast_dev_run leaves what a finished run wrote as it was."""

from functools import partial

import pytest

from babelscope.metrics.drift import drift
from babelscope.training import ExportModel
from babelscope.training.checkpoint import LastCheckpoint
from tests.models.tiny import tiny_model, tiny_tokenizer
from tests.training.runs import METRICS, layer_scores, make_data, make_module, make_trainer
from tests.training.test_neuron_scores import neuron_scores


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def callbacks(tmp_path):
    def make():
        metrics = {**METRICS, "drift": partial(drift, k=3)}
        scored, run = tmp_path / "run", {"folder": tmp_path / "run"}
        last = LastCheckpoint(folder=scored)
        return layer_scores(metrics, **run), neuron_scores(**run), ExportModel(tiny_tokenizer(), folder=scored), last

    return make


@pytest.mark.parametrize("anew", [True, False])
def test_nothing_is_written(anew, callbacks, tmp_path):
    of_run = callbacks()
    make_trainer(tmp_path, *of_run, enable_checkpointing=True).fit(
        make_module(tiny_model("xlm-roberta", "classification")), make_data()
    )
    before = contents(tmp_path / "run")
    of_trial = callbacks() if anew else of_run
    module = make_module(tiny_model("xlm-roberta", "classification", initializer_range=0.3))
    make_trainer(tmp_path, *of_trial, fast_dev_run=True, enable_checkpointing=True).fit(module, make_data())
    assert contents(tmp_path / "run") == before
    assert {row["step"] for row in of_trial[0].rows} == {0, 1}
    # what was kept of the trial is not what a run goes on from
    assert all(start.file.is_file() for callback in of_trial[:2] for start in callback.starts)
    of_trial[0].starts[0].dry = False
    kept, _ = of_run[0].starts[0].read()
    assert {name: kept[name].sum() for name in kept} == {
        name: layer.sum() for name, layer in callbacks()[0].starts[0].read()[0].items()
    }

from types import SimpleNamespace

import pytest

from babelscope.report.table import write_step
from babelscope.training import LayerScores, TaskScores
from tests.models.tiny import tiny_model, tiny_tokenizer
from tests.training.runs import METRICS, PROBED, layer_scores, make_data, make_module, make_trainer
from tests.training.test_neuron_scores import neuron_scores


def fit(folder, *callbacks):
    trainer = make_trainer(folder, *callbacks, max_epochs=1, limit_train_batches=1, limit_val_batches=1)
    trainer.fit(make_module(tiny_model("xlm-roberta", "classification")), make_data())


def two_of(make, folder):
    return [make(folder=folder), make(folder=folder.parent / "else" / ".." / folder.name)]


@pytest.mark.parametrize("make", [layer_scores, TaskScores, neuron_scores])
def test_two_callbacks_that_would_write_the_same_files_are_refused_before_they_do(make, tmp_path):
    with pytest.raises(ValueError, match=r"`folder` to be another one for each .* got .*run, where .* a folder of its"):
        fit(tmp_path, *two_of(make, tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_other_folders_other_rows_and_none_are_fine(tmp_path):
    one, other = (LayerScores(PROBED, tiny_tokenizer(), METRICS, folder=tmp_path / name) for name in ("one", "other"))
    kept = [TaskScores(folder=tmp_path / "one"), layer_scores(), layer_scores()]
    fit(tmp_path, one, other, *kept)
    assert one.rows == other.rows
    assert sorted(path.name for path in (tmp_path / "one" / "results").iterdir()) == [
        "layers-00000000.parquet",
        "layers-00000001.parquet",
        "validation-00000001.parquet",
    ]


@pytest.mark.parametrize(("first", "left"), [(False, [4, 8]), (True, [4])])
def test_only_the_first_process_drops_rows(tmp_path, first, left):
    for step in (4, 8):
        write_step(tmp_path, "test", step, [])
    TaskScores(folder=tmp_path).drop_later(SimpleNamespace(is_global_zero=first, global_step=4, fast_dev_run=0))
    kept = sorted(path.name for path in (tmp_path / "results").iterdir())
    assert kept == [f"test-{step:08d}.parquet" for step in left]

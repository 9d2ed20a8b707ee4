from types import SimpleNamespace

import torch

from babelscope.report.table import read
from babelscope.training import TaskScores


def trainer(*, fn="fit", epoch=0, step=4, sanity=False, first=True, **scores):
    named = {name.replace("__", "/"): torch.tensor(value) for name, value in scores.items()}
    return SimpleNamespace(
        callback_metrics={"train_loss": torch.tensor(9.0), "validation_unnamed": torch.tensor(9.0), **named},
        state=SimpleNamespace(fn=fn),
        current_epoch=epoch,
        global_step=step,
        sanity_checking=sanity,
        is_global_zero=first,
    )


SCORES = {"validation_loss__eng_Latn": 0.5, "test_loss__deu_Latn": 0.75}


def test_rows_name_metric_language_step_and_epoch(tmp_path):
    scores = TaskScores(folder=tmp_path, run="r")
    scores.on_validation_end(trainer(**SCORES), None)
    scores.on_test_end(trainer(fn="test", epoch=1, **SCORES), None)
    general = {"run": "r", "step": 4, "epoch": 1, "layer": "", "other": ""}
    assert scores.rows == [
        {**general, "metric": "validation_loss", "language": "eng_Latn", "value": 0.5},
        {**general, "metric": "test_loss", "language": "deu_Latn", "value": 0.75},
    ]
    assert sorted(read(tmp_path)["metric"]) == ["test_loss", "validation_loss"]


def test_validating_again_after_training_replaces_the_last_epochs_rows(tmp_path):
    scores = TaskScores(folder=tmp_path)
    scores.on_validation_end(trainer(epoch=1, **SCORES), None)
    during = read(tmp_path)
    scores.on_validation_end(trainer(fn="validate", epoch=2, **SCORES), None)
    assert read(tmp_path).equals(during)
    assert during["epoch"].tolist() == [2]


def test_neither_the_sanity_check_nor_other_processes_write(tmp_path):
    scores = TaskScores(folder=tmp_path)
    scores.on_validation_end(trainer(sanity=True, **SCORES), None)
    scores.on_validation_end(trainer(first=False, **SCORES), None)
    scores.on_validation_end(trainer(), None)
    assert not scores.rows
    assert not list(tmp_path.iterdir())

from types import SimpleNamespace

import pytest
import torch
from pytorch_lightning.callbacks import ModelCheckpoint

from babelscope.report.table import read
from babelscope.training import TaskScores
from babelscope.training.data import TaskData
from babelscope.training.task_scores import by_language
from tests.models.tiny import tiny_model
from tests.training.runs import make_data, make_module, make_trainer


def trainer(*, fn="fit", epoch=0, step=4, sanity=False, first=True, **scores):
    named = {name.replace("__", "/"): torch.tensor(value) for name, value in scores.items()}
    return SimpleNamespace(
        callback_metrics={"train_loss": torch.tensor(9.0), "validation_unnamed": torch.tensor(9.0), **named},
        state=SimpleNamespace(fn=fn),
        current_epoch=epoch,
        global_step=step,
        sanity_checking=sanity,
        is_global_zero=first,
        ckpt_path=None,
        fast_dev_run=0,
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


def points(rows):
    return [(row["metric"].split("_")[0], row["step"], row["epoch"]) for row in rows if "loss" in row["metric"]]


def test_a_validation_outside_of_training_leaves_its_rows_alone(tmp_path):
    scores = TaskScores(folder=tmp_path / "run")
    module, data = make_module(tiny_model("xlm-roberta", "classification")), make_data()
    fitted = make_trainer(tmp_path, scores, max_epochs=1)
    fitted.fit(module, data)
    during = read(tmp_path / "run")
    fitted.validate(module, TaskData.test_dataloader(data)[1], verbose=False)  # other sentences
    assert read(tmp_path / "run").equals(during)
    assert points(scores.rows) == [("validation", 4, 1)]


@pytest.mark.filterwarnings("ignore:Be aware that when using `ckpt_path`")  # a Trainer without ModelCheckpoint tests
def test_a_checkpoint_is_tested_under_its_own_step_and_epoch(tmp_path):
    def tested(trainer, scores, **options):
        before = len(scores.rows)
        trainer.test(make_module(tiny_model("xlm-roberta", "classification")), make_data(), verbose=False, **options)
        return set(points(scores.rows[before:]))

    scores = TaskScores(folder=tmp_path / "run")
    kept = {"save_top_k": -1, "every_n_epochs": 1, "filename": "{epoch}"}
    keep = ModelCheckpoint(tmp_path / "whole", **kept)
    trainer = make_trainer(tmp_path, scores, keep, enable_checkpointing=True)
    trainer.fit(make_module(tiny_model("xlm-roberta", "classification")), make_data())
    first, last = (tmp_path / "whole" / f"epoch={epoch}.ckpt" for epoch in (0, 1))
    assert tested(trainer, scores, ckpt_path=first) == {("test", 4, 1)}
    assert tested(trainer, scores) == {("test", 8, 2)}
    fresh = TaskScores()
    assert tested(make_trainer(tmp_path, fresh), fresh, ckpt_path=last) == {("test", 8, 2)}
    assert tested(make_trainer(tmp_path, fresh), fresh) == {("test", 0, 0)}
    assert sorted(set(read(tmp_path / "run")["step"])) == [4, 8]


def test_weights_without_a_step_are_not_filed_under_any(tmp_path, caplog):
    scores, keep = TaskScores(), ModelCheckpoint(tmp_path, save_weights_only=True, filename="kept")
    trainer = make_trainer(tmp_path, scores, keep, max_epochs=1, enable_checkpointing=True)
    module = make_module(tiny_model("xlm-roberta", "classification"))
    trainer.fit(module, make_data())
    trainer.test(module, make_data(), ckpt_path=tmp_path / "kept.ckpt", verbose=False)
    assert points(scores.rows) == [("validation", 4, 1)]
    assert "holds weights only" in caplog.text


def test_neither_the_sanity_check_nor_other_processes_write(tmp_path):
    scores = TaskScores(folder=tmp_path)
    scores.on_validation_end(trainer(sanity=True, **SCORES), None)
    scores.on_validation_end(trainer(first=False, **SCORES), None)
    scores.on_validation_end(trainer(), None)
    assert not scores.rows
    assert not list(tmp_path.iterdir())


def test_what_lightning_appends_is_no_part_of_a_language():
    logged = {
        "validation_loss/eng_Latn": torch.tensor(0.5),
        "validation_loss/eng_Latn_epoch": torch.tensor(0.5),
        "validation_loss/deu_Latn_epoch/dataloader_idx_1": torch.tensor(0.25),
        "validation_loss/deu_Latn/dataloader_idx_1": torch.tensor(0.25),
        "test_loss/eng_Latn": 1.0,
        "validation_unnamed": 9.0,
        "train_loss": 9.0,
    }
    assert by_language(logged, "validation") == {
        ("validation_loss", "eng_Latn"): 0.5,
        ("validation_loss", "deu_Latn"): 0.25,
    }


def test_loaders_of_one_language_are_kept_apart():
    logged = {f"test_loss/eng_Latn/dataloader_idx_{i}": float(i) for i in range(3)}
    assert by_language(logged, "test") == {
        ("test_loss", "eng_Latn"): 0.0,
        ("test_loss/dataloader_idx_1", "eng_Latn"): 1.0,
        ("test_loss/dataloader_idx_2", "eng_Latn"): 2.0,
    }

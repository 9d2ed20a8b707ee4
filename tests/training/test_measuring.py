import logging
from types import SimpleNamespace

from babelscope.report.table import read, write
from babelscope.training import LayerScores, TaskScores
from babelscope.training.measuring import Measuring
from tests.models.tiny import tiny_model, tiny_tokenizer
from tests.training.runs import METRICS, PROBED, make_data, make_module, make_trainer


class Noted(Measuring):
    def __init__(self, every_n_epochs=1):
        self.every_n_epochs, self.seen = every_n_epochs, []

    def measure(self, trainer, pl_module, *, epoch):
        self.seen.append((trainer.global_step, epoch))


def at(step, epoch, *, validates=True, sanity=False, fn="fit"):
    return SimpleNamespace(
        global_step=step,
        current_epoch=epoch,
        enable_validation=validates,
        sanity_checking=sanity,
        state=SimpleNamespace(fn=fn),
    )


def test_a_step_is_measured_once_and_keeps_its_epoch():
    callback = Noted()
    callback.on_train_start(at(0, 0), None)
    for step, epoch in [(0, 0), (1, 0), (3, 0), (3, 1), (4, 1)]:
        callback.on_validation_epoch_end(at(step, epoch), None)
        callback.on_train_epoch_end(at(step, epoch), None)
    assert callback.seen == [(0, 0), (1, 1), (3, 1), (4, 2)]


def test_a_resumed_run_measures_when_it_would_have():
    others, before, after, checkpoint = [TaskScores(), Noted()], Noted(), Noted(), {}
    before.on_validation_epoch_end(at(3, 0), None)
    for callbacks, call in (([*others, before], "on_save_checkpoint"), ([*others, after], "on_load_checkpoint")):
        for callback in callbacks:
            getattr(callback, call)(SimpleNamespace(callbacks=callbacks), None, checkpoint)
    assert others[1].measured == -1
    held = Noted()  # by a callback of somebody's, which hands on what it is told
    held.measured = 7
    held.on_save_checkpoint(SimpleNamespace(callbacks=others), None, kept := {})
    held.on_load_checkpoint(SimpleNamespace(callbacks=others), None, kept)
    assert held.measured == 7
    after.on_train_start(at(3, 1), None)
    after.on_validation_epoch_end(at(3, 1), None)
    after.on_validation_epoch_end(at(5, 1), None)
    assert after.seen == [(5, 2)]


def test_sanity_checks_and_other_validations_are_not_measured_and_training_without_any_is():
    callback = Noted(every_n_epochs=2)
    callback.on_validation_epoch_end(at(0, 1, sanity=True), None)
    callback.on_validation_epoch_end(at(9, 1, fn="validate"), None)
    for epoch in range(4):
        callback.on_train_epoch_end(at(epoch + 1, epoch, validates=False), None)
    assert callback.seen == [(2, 2), (4, 4)]


def test_a_training_after_another_begins_anew():
    callback = Noted()
    for _ in range(2):
        callback.on_train_start(at(0, 0), None)
    assert callback.seen == [(0, 0), (0, 0)]


def fit(folder, **options):
    scores = LayerScores(PROBED, tiny_tokenizer(), METRICS, folder=folder / "run", max_tokens=512)
    trainer = make_trainer(folder, scores, TaskScores(folder=folder / "run"), **options)
    trainer.fit(make_module(tiny_model("xlm-roberta", "topic")), make_data())
    rows = read(folder / "run")
    found = rows[["metric", "step", "epoch"]].drop_duplicates()
    return {
        metric: list(
            zip(found["step"][found["metric"] == metric], found["epoch"][found["metric"] == metric], strict=True)
        )
        for metric in ("size", "validation_loss")
    }


def test_validations_between_two_steps_are_one(tmp_path):
    """Four batches an epoch, of which two are a step, and a validation after each."""
    found = fit(tmp_path, accumulate_grad_batches=2, val_check_interval=1)
    assert found["size"] == [(0, 0), (1, 1), (2, 1), (3, 2), (4, 2)]
    assert found["validation_loss"] == [(0, 1), (1, 1), (2, 1), (3, 2), (4, 2)]


def test_rows_of_a_training_before_it_in_the_same_folder_go(tmp_path, caplog):
    fit(tmp_path, max_epochs=2)
    write(tmp_path / "run", "mine-00000003", [])
    with caplog.at_level(logging.WARNING):
        found = fit(tmp_path, max_epochs=1, limit_train_batches=3)
    assert found == {"size": [(0, 0), (3, 1)], "validation_loss": [(3, 1)]}
    told = [record.args[1:] for record in caplog.records if "begins anew" in record.msg]
    assert sorted(told) == [(2, "layers"), (2, "validation")]
    assert (tmp_path / "run" / "results" / "mine-00000003.parquet").is_file()

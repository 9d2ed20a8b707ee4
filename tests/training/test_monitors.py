import pytest
import pytorch_lightning as pl
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint

from babelscope.training.monitors import refuse_rare_scores, refuse_unknown_monitors, refuse_unmeasured_monitors
from tests.models.tiny import tiny_model
from tests.training.runs import layer_scores, make_data, make_module, make_trainer


class Logged(pl.Callback):
    """Keep the names that a callback may decide by."""

    def on_train_end(self, trainer, pl_module):
        self.names = set(trainer.callback_metrics)


@pytest.mark.parametrize("task", ["classification", "lm"])
@pytest.mark.parametrize("validated", [True, False])
def test_what_is_named_is_what_is_logged(task, validated, tmp_path):
    logged, module = Logged(), make_module(tiny_model("xlm-roberta", task), task)
    make_trainer(tmp_path, logged, max_epochs=1, limit_val_batches=int(validated)).fit(module, make_data(task))
    names = module.monitored(validated=validated)
    assert logged.names == set(names)
    refuse_unknown_monitors({"stop": EarlyStopping(monitor=names[0])}, names)


def test_early_stopping_by_what_is_not_logged_is_refused():
    with pytest.raises(ValueError, match=r"`callbacks.stop.monitor` to be one of a, b as nothing is .* got 'c'; "):
        refuse_unknown_monitors({"stop": EarlyStopping(monitor="c")}, ["a", "b"])
    refuse_unknown_monitors({"stop": EarlyStopping(monitor="c", strict=False)}, ["a", "b"])
    refuse_unknown_monitors({"stop": EarlyStopping(monitor="c"), "own": Logged()}, ["a", "b"])  # which may log it


def test_a_layer_that_is_not_measured_is_refused_before_training(tmp_path):
    for callback in (EarlyStopping("ilo/layer_09"), ModelCheckpoint(tmp_path, monitor="ilo/layer_09")):
        with pytest.raises(ValueError, match=f"{type(callback).__name__} .* got 'ilo/layer_09'; nearest: ilo/layer_0"):
            make_trainer(tmp_path, layer_scores(), callback, enable_checkpointing=True).fit(
                make_module(tiny_model("xlm-roberta", "classification")), make_data()
            )
    refuse_unknown_monitors({"stop": EarlyStopping(monitor="ilo/layer_02")}, ["a", "b"])
    module = make_module(tiny_model("xlm-roberta", "classification"))
    trainer = make_trainer(tmp_path, EarlyStopping("x/layer_1"), Logged())  # which may log it
    refuse_unmeasured_monitors(trainer, module, ["ilo/layer_01"])


@pytest.mark.parametrize(
    ("callback", "validates", "every", "fits"),
    [
        (EarlyStopping("ilo/layer_02"), 1, 1, True),
        (EarlyStopping("ilo/layer_02"), 1, 2, False),
        (EarlyStopping("ilo/layer_02"), 2, 2, True),
        (EarlyStopping("ilo/layer_02"), 2, 4, False),
        (EarlyStopping("validation_loss"), 1, 2, True),
        (EarlyStopping("ilo/layer_02", check_on_train_epoch_end=True), 2, 2, False),
        (ModelCheckpoint(monitor="ilo/layer_02"), 1, 2, False),
        (ModelCheckpoint(monitor="ilo/layer_02", every_n_epochs=4), 1, 2, True),
        (ModelCheckpoint(monitor="ilo/layer_02", every_n_epochs=3), 1, 2, False),
        (ModelCheckpoint(monitor="ilo/layer_02", every_n_epochs=3), 2, 2, True),
        (ModelCheckpoint(), 1, 2, True),
    ],
)
def test_who_decides_by_a_layer_looks_only_after_epochs_that_measure_it(callback, validates, every, fits, tmp_path):
    trainer = make_trainer(tmp_path, callback, check_val_every_n_epoch=validates, enable_checkpointing=True)
    measured = {"ilo/layer_02": every}
    if fits:
        refuse_rare_scores(trainer, measured)
        return
    with pytest.raises(ValueError, match=r"`every_n_epochs` of LayerScores is .; write every_n_epochs=1"):
        refuse_rare_scores(trainer, measured)


def test_a_score_that_is_measured_too_rarely_is_refused_before_training(tmp_path):
    stop, module = EarlyStopping("ilo/layer_02"), make_module(tiny_model("xlm-roberta", "classification"))
    with pytest.raises(ValueError, match=r"Expected ilo/layer_02 to be measured whenever EarlyStopping looks at it"):
        make_trainer(tmp_path, layer_scores(every_n_epochs=2), stop).fit(module, make_data())
    assert module.trainer.global_step == 0

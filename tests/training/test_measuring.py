from functools import partial
from types import SimpleNamespace

import pytest
import pytorch_lightning as pl
from pytorch_lightning.callbacks import ModelCheckpoint, StochasticWeightAveraging
from torch.optim import AdamW
from torch.utils.data import DataLoader

from babelscope.analyses.tokens.scorer import TokenScorer
from babelscope.metrics.score import score
from babelscope.models import parts_of
from babelscope.report.table import read
from babelscope.states import embed, prepare
from babelscope.states.pool import mean
from babelscope.training import AlignmentGuard, LayerScores, TaskScores
from babelscope.training.data import TaskData
from babelscope.training.measuring import Measuring, first_decides
from babelscope.training.module import FineTuner
from babelscope.training.token_scores import TokenScores
from tests.models.tiny import tiny_model, tiny_tokenizer
from tests.training.runs import METRICS, PROBED, guard, layer_scores, make_data, make_module, make_trainer
from tests.training.test_neuron_scores import neuron_scores
from tests.training.test_transformers_trainer import twin

FAST = partial(AdamW, lr=3e-2)


def token_scores(**options):
    return TokenScores(partial(TokenScorer, k=5), PROBED, tiny_tokenizer(), **options)


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
        strategy=SimpleNamespace(broadcast=lambda told: told),
        check_val_every_n_epoch=1,
        max_epochs=9,
        max_steps=-1,
        callbacks=[],
        val_dataloaders=[],
        num_val_batches=[2],
        is_global_zero=True,
        fast_dev_run=0,
    )


def test_a_step_is_measured_once_and_keeps_its_epoch():
    callback = Noted()
    callback.on_train_start(at(0, 0), None)
    for step, epoch in [(0, 0), (1, 0), (3, 0), (3, 1), (4, 1)]:
        callback.on_validation_epoch_end(at(step, epoch), None)
        callback.on_train_epoch_end(at(step, epoch), pl.LightningModule())
    assert callback.seen == [(0, 0), (1, 1), (3, 1), (4, 2)]


def test_a_resumed_run_measures_when_it_would_have():
    others, before, after, checkpoint = [Noted(), Noted()], Noted(), Noted(), {}
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


@pytest.mark.parametrize("n", [0, -1, 1.5, "2"])
@pytest.mark.parametrize("make", [layer_scores, neuron_scores, token_scores, twin])
def test_epochs_between_measurements_are_a_whole_number(make, n):
    message = rf"`every_n_epochs` to be a whole number from 1, but got {n}; leave the callback out to measure nothing"
    with pytest.raises(ValueError, match=message):
        make(every_n_epochs=n)


def test_a_training_after_another_begins_anew():
    callback = Noted()
    for _ in range(2):
        callback.on_train_start(at(0, 0), None)
    assert callback.seen == [(0, 0), (0, 0)]


def fit(folder, **options):
    scores = LayerScores(PROBED, tiny_tokenizer(), METRICS, folder=folder / "run", max_tokens=512)
    trainer = make_trainer(folder, scores, TaskScores(folder=folder / "run"), **options)
    trainer.fit(make_module(tiny_model("xlm-roberta", "classification")), make_data())
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


@pytest.mark.parametrize(
    ("options", "measured"),
    [
        ({"max_steps": 3}, [(0, 0), (3, 1)]),  # of four batches an epoch
        ({"max_steps": 6}, [(0, 0), (4, 1), (6, 2)]),
        ({"max_steps": 3, "check_val_every_n_epoch": None, "val_check_interval": 100}, [(0, 0), (3, 1)]),
        ({"max_epochs": 3, "check_val_every_n_epoch": 2}, [(0, 0), (8, 2), (12, 3)]),
        ({"max_epochs": None, "max_steps": 10, "check_val_every_n_epoch": 5}, [(0, 0), (10, 3)]),
        ({"max_steps": 6, "limit_val_batches": 0}, [(0, 0), (4, 1), (6, 2)]),
        ({"max_epochs": 2}, [(0, 0), (4, 1), (8, 2)]),
    ],
)
def test_the_end_of_training_is_measured_wherever_it_is(tmp_path, options, measured):
    assert fit(tmp_path, **options)["size"] == measured
    scores = LayerScores(PROBED, tiny_tokenizer(), METRICS, every_n_epochs=2, max_tokens=512)
    make_trainer(tmp_path, scores, **options).fit(make_module(tiny_model("xlm-roberta", "classification")), make_data())
    assert max(row["step"] for row in scores.rows) == measured[-1][0]


@pytest.mark.filterwarnings("ignore:SWA is currently only supported every epoch")
@pytest.mark.parametrize("options", [{}, {"limit_val_batches": 0}, {"max_steps": 10}])
@pytest.mark.parametrize("first", [True, False])
def test_weights_that_are_averaged_as_training_ends_are_those_of_the_last_rows(options, first, tmp_path):
    scores, module = layer_scores(), make_module(tiny_model("xlm-roberta", "classification"), optimizer=FAST)
    average = StochasticWeightAveraging(3e-2, swa_epoch_start=1, annealing_epochs=1)
    callbacks = (scores, average) if first else (average, scores)
    make_trainer(tmp_path, *callbacks, max_epochs=4, **options).fit(module, make_data())
    parts = parts_of(module.model)
    pooled = embed(parts, prepare(PROBED, tiny_tokenizer(), max_tokens=512), mean)
    expected = [row["value"] for row in score(pooled.samples(), METRICS)]
    assert [row["value"] for row in scores.rows if row["step"] == module.trainer.global_step] == expected
    steps = sorted({row["step"] for row in scores.rows})
    assert steps == ([0, 4, 8, 10] if options.get("max_steps") else [0, 4, 8, 12, 16])


def test_two_callbacks_log_and_decide_by_scores_of_their_own(tmp_path):
    one, other = layer_scores(), LayerScores(PROBED.take(range(3)), tiny_tokenizer(), METRICS, max_tokens=512)
    best = ModelCheckpoint(tmp_path / "best", monitor="2/size/layer_04", mode="min", save_top_k=1)
    trainer = make_trainer(tmp_path, one, other, best, max_epochs=3, enable_checkpointing=True)
    trainer.fit(make_module(tiny_model("xlm-roberta", "classification")), make_data())
    last = [mean_of(callback, "size", "4") for callback in (one, other)]
    assert last[0][12] != last[1][12]
    logged = [float(trainer.callback_metrics[f"{prefix}size/layer_04"]) for prefix in ("", "2/")]
    assert logged == pytest.approx([last[0][12], last[1][12]], rel=1e-6)
    after = {step: value for step, value in last[1].items() if step}
    assert float(best.best_model_score) == pytest.approx(min(after.values()), rel=1e-6)


def mean_of(callback, metric, layer):
    """What one layer scored, by step."""
    wanted = (metric, layer, "")
    return {r["step"]: r["value"] for r in callback.rows if (r["metric"], r["layer"], r["language"]) == wanted}


def test_other_callbacks_decide_by_scores_of_layers(tmp_path):
    scores = LayerScores(PROBED, tiny_tokenizer(), METRICS, max_tokens=512)
    best = ModelCheckpoint(tmp_path / "best", monitor="size/layer_04", mode="min", save_top_k=1)
    make_trainer(tmp_path, scores, best, max_epochs=3, enable_checkpointing=True).fit(
        make_module(tiny_model("xlm-roberta", "classification")), make_data()
    )
    sizes = {
        row["step"]: row["value"]
        for row in scores.rows
        if (row["metric"], row["layer"], row["language"]) == ("size", "4", "") and row["step"]
    }
    assert len(sizes) == 3
    assert float(best.best_model_score) == pytest.approx(min(sizes.values()), rel=1e-6)
    assert f"step={min(sizes, key=sizes.get)}." in best.best_model_path


def test_the_last_checkpoint_is_chosen_by_the_last_measurement(tmp_path):
    scores = LayerScores(PROBED, tiny_tokenizer(), METRICS, max_tokens=512)
    best = ModelCheckpoint(tmp_path / "best", monitor="size/layer_04", save_top_k=-1, filename="{step}")
    make_trainer(tmp_path, scores, best, max_steps=6, enable_checkpointing=True).fit(
        make_module(tiny_model("xlm-roberta", "classification")), make_data()
    )
    means = {
        r["step"]: r["value"] for r in scores.rows if (r["metric"], r["layer"], r["language"]) == ("size", "4", "")
    }
    kept = {int(path.split("step=")[1][0]): float(score) for path, score in best.best_k_models.items()}
    assert kept == pytest.approx({step: means[step] for step in (4, 6)}, rel=1e-6)


class Empty(TaskData):
    def val_dataloader(self):
        return DataLoader([], batch_size=2)


@pytest.mark.filterwarnings("ignore:Total length of `DataLoader`")
@pytest.mark.parametrize("case", ["empty loader", "validation after the end"])
@pytest.mark.parametrize("make", [LayerScores, AlignmentGuard])
def test_epochs_are_measured_where_no_validation_ever_runs(case, make, tmp_path):
    layers = LayerScores(PROBED, tiny_tokenizer(), METRICS, max_tokens=512)
    scores = layers if make is LayerScores else guard(every_n_steps=0, tolerance=float("inf"))
    data, options = make_data(), {"check_val_every_n_epoch": 3}
    if case == "empty loader":
        data, options = make_data(), {}
        data.__class__ = Empty
    make_trainer(tmp_path, scores, **options).fit(make_module(tiny_model("xlm-roberta", "classification")), data)
    assert sorted({(row["step"], row["epoch"]) for row in scores.rows}) == [(0, 0), (4, 1), (8, 2)]


def test_validation_of_every_second_epoch_is_waited_for(tmp_path):
    assert fit(tmp_path, check_val_every_n_epoch=2)["size"] == [(0, 0), (8, 2)]


class Manual(FineTuner):
    automatic_optimization = False

    def training_step(self, batch, batch_idx):
        optimizer = self.optimizers(use_pl_optimizer=False)
        optimizer.zero_grad()
        self.manual_backward(self.model(**batch).loss)
        optimizer.step()


def test_steps_that_nobody_counts_are_told_of_once(tmp_path):
    module = make_module(tiny_model("xlm-roberta", "classification"))
    module.__class__ = Manual
    module.automatic_optimization = False
    scores = [TaskScores(), LayerScores(PROBED, tiny_tokenizer(), METRICS, max_tokens=512)]
    with pytest.warns(UserWarning) as told:  # noqa: PT030
        make_trainer(tmp_path, *scores).fit(module, make_data())
    found = [str(warning.message) for warning in told if "counted by Lightning" in str(warning.message)]
    assert len(found) == 1
    assert "step the optimizers that `self.optimizers()` gives" in found[0]


@pytest.mark.parametrize("first", [True, False])
def test_what_the_first_process_refuses_all_of_them_do(first):
    def check():
        raise ValueError("nothing to compare with")

    told = []

    def broadcast(one):
        told.append(one)
        return "nothing to compare with"

    trainer = SimpleNamespace(is_global_zero=first, strategy=SimpleNamespace(broadcast=broadcast))
    with pytest.raises(ValueError, match=r"^nothing to compare with$"):
        first_decides(trainer, check)
    assert told == (["nothing to compare with"] if first else [None])

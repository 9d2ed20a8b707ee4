import math

import pandas as pd
import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.loggers import CSVLogger

from babelscope.models.adapters import lora
from babelscope.models.parts import parts_of
from babelscope.models.trainable import named_parts
from babelscope.report.table import read
from tests.models.tiny import tiny_model
from tests.training.runs import (
    METRICS,
    Kill,
    StopError,
    decisions,
    guard,
    make_data,
    make_module,
    make_trainer,
    same,
    weights_of,
)

STEPS = 4
"""Per epoch."""


class Look(pl.Callback):
    """Keep the weights of every step, after the guard."""

    def __init__(self):
        self.weights, self.modes, self.norms = {}, {}, []

    def on_train_start(self, trainer, pl_module):
        self.weights[0] = weights_of(pl_module.model)

    def on_train_batch_start(self, trainer, pl_module, *args):
        modules = [next(iter(modules)) for _, modules in named_parts(parts_of(pl_module.model))]
        self.modes[trainer.global_step] = [module.training for module in modules]

    def on_train_batch_end(self, trainer, pl_module, *args):
        self.weights[trainer.global_step] = weights_of(pl_module.model)


def names_below(model, layer, *, first=0):
    """Names of what trains in the parts that make layers up to this one."""
    stack = [modules for _, modules in named_parts(parts_of(model))][first : layer + 1]
    own = {id(p) for modules in stack for module in modules for p in module.parameters() if p.requires_grad}
    return {name for name, p in model.named_parameters() if id(p) in own}


def fit(folder, watch, model, task="classification", *extra, **options):
    pl.seed_everything(0, verbose=False)
    look, kind = Look(), model.config.model_type
    trainer = make_trainer(folder, *([watch] if watch else []), look, *extra, **options)
    trainer.fit(make_module(model, task), make_data(task, kind))
    return look, trainer


CASES = {
    "plain": ("xlm-roberta", "classification", None, {}),
    "tied": ("bloom", "lm", None, {}),
    "encoder-decoder": ("mt5", "lm", None, {}),
    "lora": ("xlm-roberta", "classification", lora, {}),
    "accumulated-and-clipped": (
        "llama",
        "classification",
        None,
        {"accumulate_grad_batches": 2, "gradient_clip_val": 0.5},
    ),
    "bf16-mixed": ("xlm-roberta", "classification", None, {"precision": "bf16-mixed"}),
}


@pytest.mark.parametrize("case", CASES)
def test_what_falls_goes_back_to_the_stored_weights_and_never_moves_again(case, tmp_path):
    kind, task, adapter, options = CASES[case]
    model = tiny_model(kind, task)
    model = model if adapter is None else adapter(model)
    watch = guard(tolerance=0.02)
    look, trainer = fit(tmp_path, watch, model, task, max_epochs=4, **options)
    made = decisions(watch.rows)
    assert made
    assert all(back < step for step, _, back in made)
    for step, layer, back in made:
        frozen = names_below(model, int(layer))
        frozen -= names_below(model, max((int(low) for at, low, _ in made if at < step), default=-1))
        assert frozen
        later = [look.weights[at] for at in look.weights if at >= step]
        assert all(torch.equal(weights[name], look.weights[back][name]) for weights in later for name in frozen)
        assert any(not torch.equal(look.weights[back][name], look.weights[0][name]) for name in frozen) or back < 2
    held = names_below(model, watch.frozen)
    parameters = dict(model.named_parameters())
    states = trainer.optimizers[0].state
    assert not any(parameters[name] in states for name in held)
    open_names = {name for name, p in parameters.items() if p.requires_grad} - held
    if open_names:
        assert all(parameters[name] in states for name in open_names)
        last = max(look.weights)
        assert any(not torch.equal(look.weights[last][name], look.weights[last - 1][name]) for name in open_names)
    assert all(p.requires_grad for name, p in parameters.items() if name in held)


def test_every_check_ends_within_the_tolerance_and_rows_tell_what_it_found(tmp_path):
    watch = guard(folder=tmp_path / "run", run="r")
    fit(tmp_path, watch, tiny_model("mt5", "classification"), logger=CSVLogger(tmp_path / "csv"))
    assert decisions(watch.rows) == [(2, "1", 1), (3, "4", 2)]
    on_disk = read(tmp_path / "run")
    assert len(on_disk) == len(watch.rows)
    assert set(on_disk["run"]) == {"r"}
    falls = on_disk[on_disk["metric"] == "guard_fall"].pivot_table("value", "step", "layer")
    assert falls.index.tolist() == list(range(2 * STEPS + 1))
    assert falls.columns.tolist() == ["0", "1", "2", "3", "4"]
    assert (falls.loc[0] == 0).all()
    assert falls.loc[2, "1"] > 0.05 >= falls.loc[2, "0"]
    assert (falls.loc[4:] <= 0.05).all(axis=None)
    assert on_disk.loc[on_disk["step"] == 5, "epoch"].unique().tolist() == [2]
    logged = pd.read_csv(next((tmp_path / "csv").rglob("metrics.csv")))
    assert logged["guard_fall/layer_02"].dropna().tolist() == pytest.approx(falls["2"].tolist())
    assert logged["guard_freeze/layer_04"].dropna().tolist() == [2]


def test_without_validation_epochs_are_checked(tmp_path):
    watch = guard(every_n_steps=0)
    fit(tmp_path, watch, tiny_model("xlm-roberta", "classification"), limit_val_batches=0)
    assert sorted({row["step"] for row in watch.rows}) == [0, STEPS, 2 * STEPS]


@pytest.mark.parametrize("every_n_steps", [0, 3])
def test_infinite_tolerance_is_training_without_a_guard(every_n_steps, tmp_path):
    watched, alone = tiny_model("xlm-roberta", "lm"), tiny_model("xlm-roberta", "lm")
    watch = guard(tolerance=math.inf, every_n_steps=every_n_steps, metric=METRICS["ilo"], key="ilo")
    fit(tmp_path, watch, watched, "lm")
    fit(tmp_path, None, alone, "lm")
    assert {row["step"] for row in watch.rows} == {0, 4, 8} | ({3, 6} if every_n_steps else set())
    assert same(weights_of(watched), weights_of(alone))


@pytest.mark.parametrize("every_n_steps", [0, 1])
def test_a_resumed_run_is_the_run_it_would_have_been(every_n_steps, tmp_path):
    def run(folder, *extra, again=False):
        pl.seed_everything(3, verbose=False)
        model = tiny_model("xlm-roberta", "lm")
        watch = guard(folder=folder, tolerance=0.1, every_n_steps=every_n_steps)
        keep = ModelCheckpoint(folder, filename="last", enable_version_counter=False)
        trainer = make_trainer(folder, watch, keep, *extra, max_epochs=4, enable_checkpointing=True)
        last = str(folder / "last.ckpt")
        trainer.fit(make_module(model, "lm", seed=3), make_data("lm"), ckpt_path=last if again else None)
        return watch, weights_of(model)

    whole, weights = run(tmp_path / "whole")
    with pytest.raises(StopError):
        run(tmp_path / "parts", Kill(epoch=2))
    resumed, weights_again = run(tmp_path / "parts", again=True)
    assert decisions(whole.rows)[0][0] <= 2 * STEPS  # before the kill
    assert min(row["step"] for row in resumed.rows) > 2 * STEPS
    assert same(weights, weights_again)
    pd.testing.assert_frame_equal(read(tmp_path / "whole"), read(tmp_path / "parts"))


def test_a_run_that_began_without_a_guard_is_refused(tmp_path):
    keep = ModelCheckpoint(tmp_path, filename="last")
    fit(
        tmp_path,
        None,
        tiny_model("bloom", "classification"),
        "classification",
        keep,
        max_epochs=1,
        enable_checkpointing=True,
    )
    trainer = make_trainer(tmp_path, guard(), keep, enable_checkpointing=True)
    with pytest.raises(ValueError, match=r"scores at step 0, but this run goes on at step 4 without .* layer 0; start"):
        trainer.fit(
            make_module(tiny_model("bloom", "classification")), make_data(), ckpt_path=str(tmp_path / "last.ckpt")
        )


def test_a_baseline_of_another_score_is_refused(tmp_path):
    def train(watch, epochs, path=None):
        keep = ModelCheckpoint(tmp_path, filename="last", enable_version_counter=False)
        trainer = make_trainer(tmp_path, watch, keep, max_epochs=epochs, enable_checkpointing=True)
        trainer.fit(make_module(tiny_model("xlm-roberta", "classification")), make_data(), ckpt_path=path)

    given = {"metric": METRICS["ilo"]}
    train(guard(**given, key="ilo", tolerance=math.inf), 1)
    with pytest.raises(ValueError, match=r"score and sentences that it began with, .*'ilo'.* but got .*'reach'"):
        train(guard(**given, key="reach"), 2, str(tmp_path / "last.ckpt"))
    train(guard(**given, key="ilo", tolerance=0.2), 2, str(tmp_path / "last.ckpt"))  # which may change


@pytest.mark.parametrize(
    ("options", "checks"),
    [
        ({"check_val_every_n_epoch": 5, "max_epochs": 1}, [0, STEPS]),
        ({"max_epochs": 2, "max_steps": STEPS + 1}, [0, STEPS, STEPS + 1]),
    ],
)
def test_what_training_ends_with_is_checked(options, checks, tmp_path):
    watch = guard(every_n_steps=0, tolerance=0.0)
    fit(tmp_path, watch, tiny_model("xlm-roberta", "classification"), **options)
    assert sorted({row["step"] for row in watch.rows}) == checks
    assert watch.frozen >= 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"watch": [1]}, r"`watch` to be two layer numbers, but got \[1\]"),
        ({"tolerance": math.nan}, r"`tolerance` to be at least 0, but got nan; .* \.inf to watch only"),
        ({"tolerance": -0.1}, "`tolerance` to be at least 0, but got -0.1"),
        ({"every_n_steps": -1}, "`every_n_steps` to be at least 0, but got -1"),
        ({"watch": [3, 3]}, r"`watch` .* within the 5 layers from 0, but got \[3, 3\]"),
        ({"watch": [0, 6]}, r"`watch` .* the widest range is \[0, 5\]"),
        ({"key": "cka"}, "`key` to be a result .*, but got 'cka'; it has drift_knn, drift_cka, drift_knn_null"),
    ],
)
def test_what_cannot_be_watched_is_refused(options, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        make_trainer(tmp_path, guard(**options)).fit(
            make_module(tiny_model("xlm-roberta", "classification")), make_data()
        )

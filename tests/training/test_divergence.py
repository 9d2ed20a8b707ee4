"""Training that has diverged ends as an error, and other training is left alone."""

from functools import partial

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.plugins import MixedPrecision
from torch.optim import SGD, AdamW

from babelscope.training.divergence import EVERY, Divergence, refuse_non_finite_weights
from babelscope.training.export import ExportModel
from tests.models.tiny import tiny_model, tiny_tokenizer
from tests.training.runs import constant, make_data, make_module, make_trainer, same, weights_of


class Spoil(pl.Callback):
    """Make a weight of the model infinite before a batch of training, or before the first of validation or test."""

    def __init__(self, *, step=None, stage=None):
        self.step, self.stage = step, stage

    def spoil(self, pl_module):
        with torch.no_grad():
            next(pl_module.model.parameters()).fill_(float("inf"))

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if batch_idx == self.step:
            self.spoil(pl_module)

    def on_validation_batch_start(self, trainer, pl_module, *args):
        if self.stage == "validation":
            self.spoil(pl_module)

    def on_test_batch_start(self, trainer, pl_module, batch, batch_idx, dataloader_idx=0):
        if self.stage == "test" and dataloader_idx == 1:
            self.spoil(pl_module)


def sixteen():
    """Make what Lightning leaves to GPUs, though the CPU can do it, too."""
    return MixedPrecision("16-mixed", "cpu")


def fit(folder, *callbacks, model=None, module=None, **options):
    given = {"limit_val_batches": 0, **options}
    trainer = make_trainer(folder, *callbacks, **given)
    made = module or make_module(model or tiny_model("xlm-roberta", "classification"))
    trainer.fit(made, make_data())
    return trainer, made


def test_a_loss_that_is_not_finite_ends_training_at_its_step(tmp_path):
    export = ExportModel(tiny_tokenizer(), folder=tmp_path)
    with pytest.raises(ValueError, match=r"a finite loss, but got nan in step 3 of training in eng_Latn; lower opt"):
        fit(tmp_path, Spoil(step=2), export)
    assert not (tmp_path / "model").exists()


def test_what_the_last_step_makes_of_the_weights_is_not_exported(tmp_path):
    export = ExportModel(tiny_tokenizer(), folder=tmp_path)
    model = tiny_model("xlm-roberta", "classification")
    module = make_module(model, optimizer=partial(SGD, lr=float("inf")), schedule=constant)
    with pytest.raises(
        ValueError, match=r"finite weights, but got NaN or infinite values in .* after step 1; lower optimizer.lr"
    ):
        fit(tmp_path, export, module=module, max_steps=1)
    assert not (tmp_path / "model").exists()


def test_no_checkpoint_is_kept_of_it(tmp_path):
    class Save(pl.Callback):
        def on_train_batch_end(self, trainer, *args):
            trainer.save_checkpoint(tmp_path / "kept.ckpt")

    module = make_module(
        tiny_model("llama", "classification"), optimizer=partial(SGD, lr=float("inf")), schedule=constant
    )
    with pytest.raises(ValueError, match="finite weights"):
        fit(tmp_path, Save(), module=module)
    assert not (tmp_path / "kept.ckpt").exists()


def test_a_loss_of_validation_is_not_dropped(tmp_path):
    with pytest.raises(ValueError, match=r"finite loss, but got nan in validation in eng_Latn after step 4; lower"):
        fit(tmp_path, Spoil(stage="validation"), limit_val_batches=1.0)


def test_nor_is_one_of_a_test(tmp_path):
    trainer, module = fit(tmp_path, Spoil(stage="test"), max_epochs=1)
    with pytest.raises(ValueError, match=r"finite loss, but got nan in test in deu_Latn after step 4; lower"):
        trainer.test(module, make_data(), verbose=False)


def test_before_training_it_is_the_checkpoints(tmp_path):
    model = tiny_model("xlm-roberta", "classification")
    with torch.no_grad():
        next(model.parameters()).fill_(float("nan"))
    with pytest.raises(ValueError, match="in step 1 of training in eng_Latn; check the checkpoint"):
        fit(tmp_path, model=model)


def test_sixteen_bits_are_told_what_to_use_instead(tmp_path):
    # the least number that AdamW adds to a square root is 0 in float16
    model = tiny_model("xlm-roberta", "classification").to(torch.float16)
    with pytest.raises(ValueError, match=r"; write model\.dtype=bfloat16 or float32, for float16"):
        fit(tmp_path, module=make_module(model, schedule=constant))
    with pytest.raises(ValueError, match=r"; write trainer\.precision=bf16-mixed or 32-true, for 16"):
        fit(tmp_path, Spoil(step=1), plugins=[sixteen()])


def test_a_step_that_a_scaler_leaves_out_is_no_divergence(tmp_path):
    class Overflow(pl.Callback):
        left = 0

        def on_after_backward(self, trainer, pl_module):
            if trainer.global_step == 1:
                weights = next(p for p in pl_module.model.parameters() if p.grad is not None)
                weights.grad.fill_(float("inf"))
                self.left += 1

    overflow = Overflow()
    trainer, module = fit(tmp_path, overflow, plugins=[sixteen()], max_epochs=1)
    assert overflow.left
    assert trainer.global_step == 4
    assert all(torch.isfinite(weights).all() for weights in module.model.parameters())


class Many:
    """A Trainer of two processes, of which this one is the first."""

    world_size, global_step = 2, 0
    precision = "32-true"
    lightning_module = torch.nn.Linear(1, 1)

    def __init__(self, *, others=True, first=True):
        self.strategy, self.others, self.is_global_zero, self.asked = self, others, first, []

    def reduce_boolean_decision(self, decision, all):
        self.asked.append(decision)
        return decision and self.others


def test_where_a_look_costs_time_there_are_few_and_all_processes_end():
    trainer, seen = Many(), Divergence()
    for _ in range(2 * EVERY + 1):
        seen.add(torch.tensor(1.0), trainer, "training")
    assert trainer.asked == [True, True]
    trainer.global_step = 6
    seen.add(torch.tensor(float("inf")), trainer, "training")
    with pytest.raises(ValueError, match="but got inf in step 7 of training"):
        seen.check(trainer, "training")
    seen.check(trainer, "training")  # nothing is left to look at
    other = Many(others=False)
    seen.add(torch.tensor(1.0), other, "training")
    with pytest.raises(ValueError, match="but got a non-finite loss in another process in step 1"):
        seen.check(other, "training")


@pytest.mark.parametrize(("first", "error"), [(True, ValueError), (False, SystemExit)])
def test_only_the_first_process_says_why_training_ends(first, error):
    seen, trainer, model = Divergence(), Many(first=first), torch.nn.Linear(1, 1)
    torch.nn.init.constant_(model.weight, float("nan"))
    seen.add(torch.tensor(float("nan")), trainer, "training")
    with pytest.raises(error) as of_loss:
        seen.check(trainer, "training")
    with pytest.raises(error) as of_weights:
        refuse_non_finite_weights(model, trainer)
    if not first:  # another exit would make Lightning kill the first process, perhaps before it has said so
        assert of_loss.value.code == of_weights.value.code == 0


def test_looking_leaves_the_weights_as_they_would_be(tmp_path, monkeypatch):
    def trained():
        torch.manual_seed(0)
        _, module = fit(
            tmp_path, module=make_module(tiny_model("xlm-roberta", "classification"), optimizer=partial(AdamW, lr=1e-2))
        )
        return weights_of(module.model)

    looked = trained()
    monkeypatch.setattr(Divergence, "add", lambda *args: None)
    assert same(looked, trained())


def test_a_schedule_needs_an_end(tmp_path):
    with pytest.raises(ValueError, match="`trainer` to say after how many steps training ends"):
        fit(tmp_path, max_epochs=-1)

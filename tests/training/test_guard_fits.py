"""The guard in trainings of other people's: gradual unfreezing, averaged weights, and a Trainer that fits again."""

import math

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import EMAWeightAveraging, WeightAveraging

from babelscope.training.module import FineTuner
from tests.models.tiny import tiny_model
from tests.training.runs import decisions, guard, make_data, make_module, make_trainer
from tests.training.test_guard import STEPS, Look, names_below


class Unfreeze(pl.Callback):
    """Train the classifier alone at first, and everything from the second epoch on."""

    def on_fit_start(self, trainer, pl_module):
        pl_module.model.base_model.requires_grad_(False)

    def on_train_epoch_start(self, trainer, pl_module):
        pl_module.model.requires_grad_(trainer.current_epoch >= 1)
        pl_module.model.classifier.requires_grad_(True)


class OptimizesAll(FineTuner):
    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=1e-2)


def test_what_begins_to_train_later_goes_back_and_is_held(tmp_path):
    pl.seed_everything(0, verbose=False)
    model, look, watch = tiny_model("xlm-roberta", "classification"), Look(), guard(tolerance=0.02, every_n_steps=3)
    module = make_module(model)
    module.__class__ = OptimizesAll
    make_trainer(tmp_path, Unfreeze(), watch, look, max_epochs=4).fit(module, make_data())
    made = decisions(watch.rows)
    assert made
    assert made[0][0] > STEPS
    for step, layer, back in made:
        frozen = names_below(model, int(layer))
        frozen -= names_below(model, max((int(low) for at, low, _ in made if at < step), default=-1))
        later = [look.weights[at] for at in look.weights if at >= step]
        assert all(torch.equal(weights[name], look.weights[back][name]) for weights in later for name in frozen)


@pytest.mark.parametrize("averaging", [WeightAveraging, EMAWeightAveraging])
def test_averaged_weights_are_refused(averaging, tmp_path):
    trainer = make_trainer(tmp_path, guard(), averaging())
    with pytest.raises(ValueError, match=rf"no weight averaging .* has {averaging.__name__}, which .*; remove one of"):
        trainer.fit(make_module(tiny_model("xlm-roberta", "classification")), make_data())


def test_a_fit_of_another_model_has_a_step_0_of_its_own(tmp_path):
    def once_more(model):
        trainer.fit_loop.max_epochs += 1
        trainer.fit(make_module(model), make_data())
        return watch.baseline, watch.frozen

    watch, model = guard(every_n_steps=0, tolerance=0.02), tiny_model("xlm-roberta", "classification")
    trainer = make_trainer(tmp_path, watch, max_epochs=0)
    baseline, frozen = once_more(model)
    assert frozen >= 0
    assert once_more(model)[0] == baseline  # which goes on
    assert watch.frozen >= frozen
    watch.tolerance = math.inf
    other, frozen = once_more(tiny_model("xlm-roberta", "classification"))
    assert frozen == -1
    assert [row["value"] for row in watch.rows if row["step"] == 2 * STEPS][-5:] == [0] * 5
    assert other.keys() == baseline.keys()

from functools import partial
from itertools import product

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint
from pytorch_lightning.utilities.seed import isolate_rng
from torch.optim.lr_scheduler import StepLR
from transformers import get_constant_schedule, get_constant_schedule_with_warmup, get_linear_schedule_with_warmup

from babelscope.models import freeze, parts_of
from babelscope.models.adapters import lora
from babelscope.models.policies import FreezePolicy, early, embeddings
from babelscope.states import record
from babelscope.training import TaskScores
from tests.models.tiny import tiny_inputs, tiny_model
from tests.training.runs import LANGUAGES, make_data, make_module, make_trainer, weights_of

FOUR = ("xlm-roberta", "mt5", "bloom", "llama")
ADAPTERS = {"plain": None, "lora": lora}
DROPOUT = {"bloom": {"hidden_dropout": 0.1}, "llama": {"attention_dropout": 0.1}}


class Look(pl.Callback):
    """Pass a batch twice through the backbone, as training has set it up."""

    def on_train_batch_start(self, trainer, pl_module, *args):
        parts, passes = parts_of(pl_module.model), []
        for seed in (1, 2):
            states: dict[str, torch.Tensor] = {}
            with isolate_rng(), torch.no_grad(), record(parts, states.__setitem__):
                torch.manual_seed(seed)
                parts.stack(**tiny_inputs(), use_cache=False)
            passes.append(states)
        self.noisy = {layer for layer in parts.layers if not torch.equal(passes[0][layer], passes[1][layer])}
        self.modes = {i: {m.training for m in block.modules()} for i, block in enumerate(parts.blocks)}
        self.dropouts = [
            {m.training for m in block.modules() if isinstance(m, torch.nn.Dropout)} for block in parts.blocks
        ]


@pytest.mark.parametrize(("model_type", "adapter"), list(product(FOUR, ADAPTERS)))
def test_dropout_is_on_where_something_trains_and_off_where_nothing_does(model_type, adapter, tmp_path):
    model = tiny_model(model_type, "classification", **DROPOUT.get(model_type, {}))
    model = lora(model) if adapter == "lora" else model
    freeze(parts_of(model), FreezePolicy(inputs=True, blocks=[(0, 2)]))
    look = Look()
    make_trainer(tmp_path, look, max_steps=1, limit_val_batches=0).fit(make_module(model), make_data())
    assert look.modes[0] == look.modes[1] == {False}
    assert look.modes[2] == look.modes[3] == {True}
    if model_type != "mt5":  # its stack has a dropout of its own, in front of block 0
        assert not look.noisy & {"0", "1", "2"}
    assert look.noisy >= {"3", "4"}


def test_validation_is_without_dropout_and_training_goes_on_with_it(tmp_path):
    class Modes(pl.Callback):
        def __init__(self):
            self.seen = {"train": set(), "validation": set()}

        def on_train_batch_start(self, trainer, pl_module, *args):
            self.seen["train"] |= {m.training for m in pl_module.model.modules()}

        def on_validation_batch_start(self, trainer, pl_module, *args):
            self.seen["validation"] |= {m.training for m in pl_module.model.modules()}

    modes = Modes()
    make_trainer(tmp_path, modes, num_sanity_val_steps=1).fit(
        make_module(tiny_model("xlm-roberta", "classification")), make_data()
    )
    assert modes.seen == {"train": {True}, "validation": {False}}


@pytest.mark.parametrize(("model_type", "task", "adapter"), list(product(FOUR, ["classification", "lm"], ADAPTERS)))
def test_every_family_trains_leaves_frozen_weights_alone_and_scores_every_language(model_type, task, adapter, tmp_path):
    model = tiny_model(model_type, task)
    model = lora(model) if adapter == "lora" else model
    freeze(parts_of(model), early)
    names = {name for name, p in model.named_parameters() if p.requires_grad}
    before, scores = weights_of(model), TaskScores()
    module, data = make_module(model, task), make_data(task, model_type)
    trainer = make_trainer(tmp_path, scores, max_epochs=1, limit_train_batches=2)
    trainer.fit(module, data)
    assert trainer.global_step == 2
    after = weights_of(model)
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved <= names
    # a classifier learns at once; LoRA's A waits for its B to leave 0
    assert len(moved) > len(names) // 3
    trainer.test(module, data, verbose=False)
    metrics = {"loss", "accuracy"} if task == "classification" else {"loss"}
    rows = {(row["metric"], row["language"]): row["value"] for row in scores.rows}
    assert rows.keys() == {(f"validation_{m}", "eng_Latn") for m in metrics} | {
        (f"test_{m}", language) for m in metrics for language in LANGUAGES
    }
    for language, loader in zip(LANGUAGES, data.test_dataloader(), strict=True):
        loss, accuracy = directly(model, loader)
        assert rows["test_loss", language] == pytest.approx(loss, rel=1e-5)
        if task == "classification":
            assert rows["test_accuracy", language] == pytest.approx(accuracy)
    assert rows["validation_loss", "eng_Latn"] == pytest.approx(rows["test_loss", "eng_Latn"], rel=1e-5)


def directly(model, loader):
    model.eval()
    losses = targets = right = 0.0
    with torch.no_grad():
        for batch in loader:
            output = model(**batch)
            count = int((batch["labels"] != -100).sum())
            losses, targets = losses + float(output.loss) * count, targets + count
            if batch["labels"].dim() == 1:
                right += int((output.logits.argmax(-1) == batch["labels"]).sum())
    return losses / targets, right / targets


@pytest.mark.parametrize("model_type", ["xlm-roberta", "mt5", "bloom"])
def test_checkpoints_leave_frozen_weights_out_under_all_their_names(model_type):
    model = tiny_model(model_type, "lm")
    table = parts_of(model).tokens.weight
    names = {f"model.{name}" for name, p in model.named_parameters(remove_duplicate=False) if p is table}
    assert len(names) > 1
    freeze(parts_of(model), embeddings)
    module = make_module(model, "lm")
    kept = module.state_dict()
    assert not names & set(kept)
    assert {name for name, p in module.named_parameters() if p.requires_grad} <= set(kept)


def test_an_adapters_checkpoint_holds_no_backbone():
    kept = make_module(lora(tiny_model("llama", "classification"))).state_dict()
    assert kept
    assert all("lora_" in name or "modules_to_save" in name for name in kept)


def test_a_checkpoint_of_another_freezing_is_refused(tmp_path):
    keep = ModelCheckpoint(tmp_path, filename="last")
    make_trainer(tmp_path, keep, max_epochs=1, enable_checkpointing=True).fit(
        make_module(tiny_model("bloom", "classification")), make_data()
    )
    model = tiny_model("bloom", "classification")
    freeze(parts_of(model), early)
    with pytest.raises(ValueError, match=r"Expected the checkpoint to hold the \d+ tensors that are trained here"):
        make_trainer(tmp_path).fit(make_module(model), make_data(), ckpt_path=str(tmp_path / "last.ckpt"))


def test_only_matrices_that_train_decay(tmp_path):
    model = tiny_model("xlm-roberta", "classification")
    freeze(parts_of(model), early)
    trainer = make_trainer(tmp_path, max_steps=1, limit_val_batches=0)
    trainer.fit(make_module(model), make_data())
    matrices, vectors = trainer.optimizers[0].param_groups
    assert {p.dim() for p in vectors["params"]} == {1}
    assert (matrices["weight_decay"], vectors["weight_decay"]) == (0.1, 0.0)
    chosen = {id(p) for group in (matrices, vectors) for p in group["params"]}
    assert chosen == {id(p) for p in model.parameters() if p.requires_grad}


def test_the_schedule_warms_up_and_ends(tmp_path):
    class Rates(pl.Callback):
        def __init__(self):
            self.seen = []

        def on_train_batch_start(self, trainer, pl_module, *args):
            self.seen.append(trainer.optimizers[0].param_groups[0]["lr"])

    rates = Rates()
    module = make_module(tiny_model("llama", "classification"), warmup=0.25)
    make_trainer(tmp_path, rates, limit_val_batches=0).fit(module, make_data())
    assert rates.seen == pytest.approx([0, 0.5e-2, 1e-2, *(1e-2 * i / 6 for i in (5, 4, 3, 2, 1))])


def test_early_stopping_finds_its_score(tmp_path):
    stop = EarlyStopping(monitor="validation_loss/eng_Latn", stopping_threshold=1e9)
    trainer = make_trainer(tmp_path, stop, max_epochs=3)
    trainer.fit(make_module(tiny_model("llama", "classification")), make_data())
    assert trainer.current_epoch == 1


@pytest.mark.parametrize(
    ("schedule", "shares"),
    [
        (get_linear_schedule_with_warmup, [0, 0.5, 1, 2 / 3, 1 / 3]),
        (get_constant_schedule_with_warmup, [0, 0.5, 1, 1, 1]),
        (get_constant_schedule, [1, 1, 1, 1, 1]),
        (partial(StepLR, step_size=2, gamma=0.5), [1, 1, 0.5, 0.5, 0.25]),
    ],
)
def test_a_schedule_is_told_the_steps_that_it_asks_for(schedule, shares, tmp_path):
    class Rates(pl.Callback):
        def __init__(self):
            self.seen = []

        def on_train_batch_start(self, trainer, *args):
            self.seen.append(trainer.optimizers[0].param_groups[0]["lr"])

    rates, module = Rates(), make_module(tiny_model("llama", "classification"), schedule=schedule, warmup=0.4)
    make_trainer(tmp_path, rates, max_steps=5, limit_val_batches=0).fit(module, make_data())
    assert rates.seen == pytest.approx([1e-2 * share for share in shares])

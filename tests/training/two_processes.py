"""The same trainings, measured and guarded, by one process or by two."""

from functools import partial
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from babelscope.analyses.tokens.scorer import TokenScorer
from babelscope.models.fingerprint import weights_fingerprint
from babelscope.training.task_scores import TaskScores
from babelscope.training.token_scores import TokenScores
from tests.models.tiny import tiny_model, tiny_tokenizer
from tests.training.runs import PROBED, constant, guard, layer_scores, make_data, make_module, make_trainer
from tests.training.test_neuron_scores import neuron_scores


class KeepHash(pl.Callback):
    """Write a hash of what each process ends with."""

    def __init__(self, folder: Path):
        self.folder = folder

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        model: Any = pl_module.model
        (self.folder / f"rank-{trainer.global_rank}").write_text(weights_fingerprint(model))


def train(folder: Path, devices: int, *, guarded: bool = False) -> None:
    pl.seed_everything(0, verbose=False)
    # without dropout, two halves of a batch give the gradient of the whole
    model = tiny_model("xlm-roberta", "classification", hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    module, data = make_module(model, schedule=constant), make_data(batch_size=4 // devices)
    # several batches, an odd number of them, so that the shares are uneven
    scores: list[Any] = []
    callbacks: list[pl.Callback] = [guard(folder=folder, every_n_steps=0, max_tokens=200), KeepHash(folder)]
    if not guarded:
        scores = [
            layer_scores(folder=folder, max_tokens=200),
            TokenScores(partial(TokenScorer, k=5), PROBED, tiny_tokenizer(), folder=folder / "tokens", run="r"),
            neuron_scores(folder=folder / "neurons", run="r", max_tokens=200),
        ]
        callbacks = [*scores, TaskScores(folder=folder)]
    trainer = make_trainer(folder, *callbacks, devices=devices, strategy="ddp" if devices > 1 else "auto")
    trainer.fit(module, data)
    assert all(bool(own.rows) == trainer.is_global_zero for own in scores)
    if not guarded:
        trainer.test(module, data, verbose=False)


def train_both(folder: Path, devices: int) -> None:
    """Train into the folders `measured` and `guarded`, one after the other."""
    train(folder / "measured", devices)
    train(folder / "guarded", devices, guarded=True)

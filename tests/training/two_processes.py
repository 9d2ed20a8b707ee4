"""`python -m tests.training.two_processes FOLDER [guarded]`: the same training by two processes."""

import sys
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from babelscope.models.fingerprint import weights_fingerprint
from babelscope.training.task_scores import TaskScores
from tests.models.tiny import tiny_model
from tests.training.runs import constant, guard, layer_scores, make_data, make_module, make_trainer


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
    model = tiny_model("xlm-roberta", "topic", hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    module, data = make_module(model, schedule=constant), make_data(batch_size=4 // devices)
    # several batches, an odd number of them, so that the shares are uneven
    callbacks: list[pl.Callback] = [layer_scores(folder=folder, max_tokens=200), TaskScores(folder=folder)]
    if guarded:
        callbacks = [guard(folder=folder, every_n_steps=0, max_tokens=200), KeepHash(folder)]
    trainer = make_trainer(folder, *callbacks, devices=devices, strategy="ddp" if devices > 1 else "auto")
    trainer.fit(module, data)
    if not guarded:
        trainer.test(module, data, verbose=False)


if __name__ == "__main__":
    train(Path(sys.argv[1]), devices=2, guarded="guarded" in sys.argv)

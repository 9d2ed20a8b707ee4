"""`python -m tests.training.two_processes FOLDER`: the same training by two processes."""

import sys
from pathlib import Path

import pytorch_lightning as pl

from babelscope.training.task_scores import TaskScores
from tests.models.tiny import tiny_model
from tests.training.runs import constant, layer_scores, make_data, make_module, make_trainer


def train(folder: Path, devices: int) -> None:
    pl.seed_everything(0, verbose=False)
    # without dropout, two halves of a batch give the gradient of the whole
    model = tiny_model("xlm-roberta", "topic", hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    module, data = make_module(model, schedule=constant), make_data(batch_size=4 // devices)
    # several batches, an odd number of them, so that the shares are uneven
    callbacks = [layer_scores(folder=folder, max_tokens=200), TaskScores(folder=folder)]
    trainer = make_trainer(folder, *callbacks, devices=devices, strategy="ddp" if devices > 1 else "auto")
    trainer.fit(module, data)
    trainer.test(module, data, verbose=False)


if __name__ == "__main__":
    train(Path(sys.argv[1]), devices=2)

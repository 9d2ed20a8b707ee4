"""Neuron scores of a training by two processes: each embeds its share, and the whole is scored once."""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytorch_lightning as pl

from babelscope.report.table import read
from tests.models.tiny import tiny_model
from tests.training.runs import constant, make_data, make_module, make_trainer
from tests.training.test_neuron_scores import neuron_scores


def train(folder: Path, devices: int) -> None:
    pl.seed_everything(0, verbose=False)
    # without dropout, two halves of a batch give the gradient of the whole
    model = tiny_model("xlm-roberta", "topic", hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    # several batches, an odd number of them, so that the shares are uneven
    scores = neuron_scores(folder=folder, run="r", max_tokens=200)
    trainer = make_trainer(folder, scores, devices=devices, strategy="ddp" if devices > 1 else "auto")
    trainer.fit(make_module(model, schedule=constant), make_data(batch_size=4 // devices))
    assert bool(scores.rows) == trainer.is_global_zero


def test_two_processes_score_as_one(tmp_path):
    train(tmp_path / "one", 1)
    command = [sys.executable, "-m", "tests.training.test_neuron_scores_ddp", str(tmp_path / "two")]
    ended = subprocess.run(
        command,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    one, two = read(tmp_path / "one"), read(tmp_path / "two")
    assert one["step"].nunique() == 3
    start = one["step"] == 0
    assert (one["value"][start] == two["value"][start]).all()
    level = one["metric"] == "level"
    pd.testing.assert_frame_equal(one[level], two[level], atol=1e-3)


if __name__ == "__main__":
    train(Path(sys.argv[1]), devices=2)

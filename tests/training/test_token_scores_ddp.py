"""Token scores of a training by two processes: each step is measured once, on the weights that one process has."""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pandas as pd
import pytorch_lightning as pl

from babelscope.analyses.token_scorer import TokenScorer
from babelscope.report.table import read
from babelscope.training.token_scores import TokenScores
from tests.models.tiny import tiny_model, tiny_tokenizer
from tests.training.runs import PROBED, constant, make_data, make_module, make_trainer


def train(folder: Path, devices: int) -> None:
    pl.seed_everything(0, verbose=False)
    # without dropout, two halves of a batch give the gradient of the whole
    model = tiny_model("xlm-roberta", "topic", hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    scores = TokenScores(partial(TokenScorer, k=5), PROBED, tiny_tokenizer(), folder=folder, run="r")
    trainer = make_trainer(folder, scores, devices=devices, strategy="ddp" if devices > 1 else "auto")
    trainer.fit(make_module(model, schedule=constant), make_data(batch_size=4 // devices))
    assert bool(scores.rows) == trainer.is_global_zero


def test_two_processes_score_as_one(tmp_path):
    train(tmp_path / "one", 1)
    command = [sys.executable, "-m", "tests.training.test_token_scores_ddp", str(tmp_path / "two")]
    ended = subprocess.run(
        command,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    one, two = read(tmp_path / "one"), read(tmp_path / "two")
    assert one["step"].nunique() == 3
    pd.testing.assert_frame_equal(one, two, atol=1e-3)


if __name__ == "__main__":
    train(Path(sys.argv[1]), devices=2)

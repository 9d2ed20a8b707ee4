"""What steps training: values that Lightning, torch or the schedule would fail by, or take for something else."""

import json
import os
from pathlib import Path

import pytest

from tests.models.tiny import save_checkpoint
from tests.verbs.command import FIVE, babelscope, refused, says

pytestmark = pytest.mark.usefixtures("somewhere")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return save_checkpoint(tmp_path_factory.mktemp("checkpoints") / "tiny", "xlm-roberta", "lm")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture
def small(checkpoint):
    """A training that ends within a second."""
    given = (f"model.checkpoint={checkpoint}", f"languages.codes={FIVE}", "sentences=6", "metrics=ilo", "page=false")
    return ("train", *given, "+corpus.train=40", "trainer=smoke", "logger=none", "output=run")


WRONG = (
    "task.max_length=abc",
    "task.batch_size=null",
    "task.language=1",
    "task.train=[1]",
    "task.validation=1",
    "task.test=null",
    "warmup=nan",
    "optimizer.lr=inf",
    "optimizer.lr=null",
    "optimizer.weight_decay=null",
    "model.learning_rate=abc",
    "trainer.max_epochs=",
    "trainer.max_steps=true",
    "trainer.accumulate_grad_batches=null",
    "trainer.val_check_interval=0",
    "trainer.check_val_every_n_epoch=0",
    "trainer.gradient_clip_val=nan",
    "trainer.log_every_n_steps=abc",
    "trainer.limit_train_batches=abc",
    "trainer.precision=abc",
    "page=[1]",
    "threads=9999",
)
"""One of each key; tests/verbs/config/test_values.py has the others."""


@pytest.mark.parametrize("override", WRONG)
def test_a_wrong_value_is_named_with_its_key_and_what_to_write(small, override):
    key, _, value = override.partition("=")
    line = refused(*small, override)
    shown = {"": "''", "true": "True", "abc": "'abc'"}.get(value, value)
    says(line, f"Expected `{key}` to be ", f", but got {shown}; ")


def test_threads_are_no_more_than_there_are_processors(small):
    says(refused(*small, "threads=9999"), f"from 1 to {os.cpu_count()}, the processors of this machine", "threads=")


@pytest.mark.parametrize("key", ["optimizer", "schedule"])
def test_there_is_no_training_without(small, key):
    says(refused(*small, f"{key}=null"), f"`{key}`", "null", f"{key}._target_")


def test_keys_that_trainer_and_optimizer_do_not_have(small):
    says(refused(*small, "+trainer.max_epoch=3"), "`trainer`", "`max_epoch`; nearest: max_epochs")
    says(refused(*small, "+optimizer.decay=3"), "`optimizer`", "`decay`", "weight_decay")


def test_an_end_is_needed(small):
    says(refused(*small, "trainer.max_epochs=-1"), "`trainer` to say after how many steps", "max_time")


def test_settings_that_do_not_fit_the_data(small):
    says(refused(*small, "trainer.limit_val_batches=0.001"), "settings of `trainer`", "`limit_val_batches=0.5`")


RIGHT = [
    ("trainer.max_epochs=null", "trainer.max_steps=1"),
    ("trainer.max_steps=-1", "trainer.val_check_interval=null", "trainer.gradient_clip_val=null"),
    ("trainer.limit_train_batches=null", "trainer.limit_val_batches=1", "trainer.limit_test_batches=0.5"),
    ("trainer.val_check_interval=1", "trainer.check_val_every_n_epoch=null", "trainer.log_every_n_steps=0"),
    ("trainer.val_check_interval='00:01:00:00'", "trainer.num_sanity_val_steps=-1", "trainer.gradient_clip_val=inf"),
    ("optimizer.lr=0", "optimizer.weight_decay=0", "warmup=1", "threads=1"),
    ("schedule._target_=transformers.get_constant_schedule",),
    ("optimizer._target_=transformers.Adafactor", "+optimizer.relative_step=false", "+optimizer.decay_rate=-0.7"),
]


@pytest.mark.parametrize("given", RIGHT)
def test_what_lightning_and_optimizers_take_is_taken(small, given):
    ended = babelscope(*small, "callbacks=task_scores", *given)
    assert (ended.code, ended.err) == (0, "")


@pytest.mark.parametrize(
    ("given", "remedy"),
    [(("optimizer.lr=1e30",), "lower optimizer.lr"), (("model.dtype=float16",), "model.dtype=bfloat16 or float32")],
)
def test_a_training_that_diverges_is_not_finished(small, given, remedy):
    ended = babelscope(*small, "task=lm", "trainer.limit_train_batches=4", "trainer.max_steps=4", *given)
    assert ended.code == 2
    says(ended.lines[-1], "Expected a finite loss, but got nan in step 2 of training in eng_Latn", remedy)
    assert json.loads(Path("run/manifest.json").read_text())["finished"] is False
    assert not Path("run/model").exists()
    assert not Path("run/report.html").exists()
    again = babelscope(*small, "task=lm", "trainer.limit_train_batches=4", "trainer.max_steps=4", *given)
    assert again.code == 2  # and not done already

"""Choices of callbacks and loggers other than the usual ones."""

import json
import re

import pytest

from babelscope.report.table import read_run
from tests.models.tiny import save_checkpoint
from tests.verbs.command import babelscope, written

LANGUAGES = "[eng_Latn,deu_Latn,rus_Cyrl]"


@pytest.fixture
def command(tmp_path, monkeypatch):
    """The command of a small run in `run`, and WANDB offline."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("BABELSCOPE_CACHE", str(tmp_path / "cache"))
    checkpoint = save_checkpoint(tmp_path / "tiny", "xlm-roberta")
    given = (f"model.checkpoint={checkpoint}", f"languages.codes={LANGUAGES}", "sentences=8", "metrics=ilo")
    return lambda *overrides: babelscope(
        *("train", *given, "trainer=smoke", "+corpus.train=40", "output=run", *overrides)
    )


@pytest.mark.parametrize(
    "overrides",
    [
        ("callbacks=none", "logger=none"),
        ("callbacks=[]", "logger=[]"),
        ("callbacks=[checkpoint,export]", "logger=csv"),
        ("callbacks=[checkpoint]",),
    ],
)
def test_a_run_without_rows_finishes_all_the_same(overrides, command, tmp_path):
    ended = command(*overrides)
    assert (ended.code, ended.err) == (0, "")
    assert "No callback wrote rows" in ended.out
    run = tmp_path / "run"
    assert json.loads((run / "manifest.json").read_text())["finished"] is True
    assert not (run / "report.html").exists()
    assert (run / "model").is_dir() == ("export" in overrides[0])
    saved = {path for path in written(run) if path.endswith(".ckpt")}
    assert saved == ({"checkpoints/last.ckpt"} if "checkpoint" in overrides[0] else set())
    before = written(run)
    again = command(*overrides)
    assert (again.code, again.out.startswith("Finished already")) == (0, True)
    assert written(run) == before


@pytest.mark.parametrize("chosen", ["task_scores", "token_scores"])
def test_lightning_saves_nothing_of_its_own(chosen, command, tmp_path):
    ended = command(f"callbacks=[{chosen}]", "logger=csv")
    assert (ended.code, ended.err) == (0, "")
    assert len(read_run(tmp_path / "run").rows)
    assert (tmp_path / "run" / "report.html").is_file()
    assert not list(tmp_path.rglob("*.ckpt"))
    assert not list(tmp_path.rglob("run/**/checkpoints"))


def test_lightning_saves_on_explicit_request(command, tmp_path):
    assert command("callbacks=[task_scores]", "logger=csv", "+trainer.enable_checkpointing=true").code == 0
    assert list(tmp_path.rglob("*.ckpt"))


STOP = "callbacks=[task_scores,early_stopping]"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("+trainer.enable_checkpointing=false",), r"`trainer.enable_checkpointing` not to be false beside .*; leave"),
        (
            (STOP, "callbacks.early_stopping.monitor=val_loss"),
            r"`callbacks.early_stopping.monitor` to be one of validation_loss/eng_Latn, validation_accuracy/eng_Latn, "
            r"train_loss, but got 'val_loss'; correct",
        ),
        (
            (STOP, "trainer.limit_val_batches=0"),
            r"to be one of train_loss as nothing is validated, but got 'validation_loss/eng_Latn'",
        ),
    ],
)
def test_what_cannot_go_together_is_one_line(overrides, message, command, tmp_path):
    ended = command("logger=none", *overrides)
    assert ended.code == 2
    (line,) = ended.lines
    assert re.search(message, line), line
    assert not (tmp_path / "run").exists()


def test_early_stopping_as_it_is_shipped_stops_nothing_here(command):
    ended = command(STOP, "logger=none")
    assert (ended.code, ended.err) == (0, "")

"""Signals where no callback saves by them: in the final test, and in a training without `checkpoint`."""

import signal

import pytest

from babelscope.sweeps.ledger import path_of, read_entry
from babelscope.training.module import FineTuner
from tests.models.tiny import save_checkpoint
from tests.verbs.command import babelscope
from tests.verbs.offline import offline_parts
from tests.verbs.sweep import train

UNSAVED = "callbacks=[layer_scores,task_scores]"
AGAIN, ANEW = "goes on from {}", "begins anew, for there is no {}"


@pytest.fixture(scope="module")
def command(tmp_path_factory):
    return train(save_checkpoint(tmp_path_factory.mktemp("told") / "tiny", "xlm-roberta"))


@pytest.fixture
def told(monkeypatch):
    """Let a signal come as a method of the module is called."""

    def at(method, signum):
        called = getattr(FineTuner, method)

        def call(*args, **options):
            signal.raise_signal(signum)
            return called(*args, **options)

        monkeypatch.setattr(FineTuner, method, call)

    return at


@pytest.mark.parametrize(
    ("method", "chosen", "then"),
    [
        ("test_step", "logger=wandb", AGAIN),
        ("training_step", UNSAVED, ANEW),
        ("on_train_end", UNSAVED, ANEW),
    ],
)
def test_sigterm_ends_in_one_line_and_with_its_number(method, chosen, then, command, told, somewhere):
    told(method, signal.SIGTERM)
    ended = babelscope(*command, "trainer.max_epochs=1", "output=run", chosen)
    assert ended.code == 143
    line = then.format(somewhere / "run" / "checkpoints" / "last.ckpt")
    assert ended.err.splitlines()[-1] == f"babelscope: told to end by SIGTERM; the same command {line}"
    entry = read_entry(path_of(somewhere / "run"))
    assert (entry.state, entry.exit, entry.error) == ("interrupted", 143, "told to end by SIGTERM")
    assert [part.exit for part in offline_parts(somewhere / "run")] == ([143] if "wandb" in chosen else [])


@pytest.mark.parametrize(("method", "chosen"), [("test_step", "page=false"), ("training_step", UNSAVED)])
def test_ctrl_c_does_as_everywhere(method, chosen, command, told, somewhere):
    told(method, signal.SIGINT)
    ended = babelscope(*command, "trainer.max_epochs=1", "output=run", chosen)
    assert (ended.code, ended.lines[-1]) == (130, "babelscope: interrupted")
    assert read_entry(path_of(somewhere / "run")).exit == 130

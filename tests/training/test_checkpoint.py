from contextlib import suppress
from functools import cache

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import EarlyStopping

from babelscope.report.table import read
from babelscope.training.checkpoint import LastCheckpoint, find_last, last_path
from tests.training.ended import EPOCHS, STEPS, Crash, refuse_other_runs, refuse_to_differ, train, train_until_told
from tests.training.runs import StopError

SETTINGS = {
    "plain": {},
    "accumulating": {"accumulate_grad_batches": 2},
    "accumulating unevenly": {"accumulate_grad_batches": 3},
    "contrast": {"contrast": True},
    "two validations": {"val_check_interval": 0.5},
    "validation of every second epoch": {"check_val_every_n_epoch": 2},
    "no validation": {"limit_val_batches": 0},
    "no validation, part of an epoch": {"limit_val_batches": 0, "limit_train_batches": 3},
    "part of an epoch": {"limit_train_batches": 3},
    "steps": {"max_epochs": -1, "max_steps": 7},
    "steps, no validation": {"max_epochs": -1, "max_steps": 6, "limit_val_batches": 0},
    "guarded": {"guarded": True},
    "guarded, two validations": {"guarded": True, "val_check_interval": 0.5},
    "guarded, steps": {"guarded": True, "max_epochs": -1, "max_steps": 7, "limit_val_batches": 0},
}


class Saves(pl.Callback):
    """The steps at which checkpoints are written."""

    def __init__(self):
        self.steps = []

    def on_save_checkpoint(self, trainer, pl_module, checkpoint):
        self.steps.append(trainer.global_step)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """What an undisturbed run of a setting ends with, and where."""

    @cache
    def run(setting):
        folder = tmp_path_factory.mktemp("whole")
        return train(folder, **SETTINGS[setting]), folder

    return run


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_run_that_is_ended_at_every_step_is_the_run_it_would_have_been(setting, whole, tmp_path):
    ended = 0
    while (weights := train_until_told(tmp_path, **SETTINGS[setting])) is None:
        ended += 1
    accumulated = SETTINGS[setting].get("accumulate_grad_batches", 1)
    assert ended >= EPOCHS * 3 // accumulated
    undisturbed, folder = whole(setting)
    refuse_to_differ(undisturbed, weights)
    refuse_other_runs(folder, tmp_path)


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_run_goes_on_from_the_end_of_an_epoch_and_from_within_one(setting, whole, tmp_path):
    for batch, keep in ((5, {}), (5, {"every_n_train_steps": 3}), (5, {})):
        with suppress(StopError):
            train(tmp_path, Crash(batch), keep=keep, **SETTINGS[setting])
    weights = train(tmp_path, **SETTINGS[setting])
    undisturbed, folder = whole(setting)
    refuse_to_differ(undisturbed, weights)
    refuse_other_runs(folder, tmp_path)


def test_the_guard_acts_where_it_is_tested(whole):
    for setting in ("guarded", "guarded, steps"):
        assert "guard_freeze" in set(read(whole(setting)[1])["metric"])


def test_a_run_that_stopped_early_stays_stopped(tmp_path):
    def run(*callbacks):
        stop = EarlyStopping(monitor="validation_loss/eng_Latn", stopping_threshold=1e9)
        return train(tmp_path, *callbacks, stop, max_epochs=5)

    class CrashAtTheEnd(pl.Callback):
        def on_train_end(self, trainer, pl_module):
            raise StopError

    with pytest.raises(StopError):
        run(CrashAtTheEnd())
    first = set(read(tmp_path)["step"])
    run()
    assert set(read(tmp_path)["step"]) == first == {0, STEPS}


@pytest.mark.parametrize(
    ("keep", "options", "steps"),
    [
        ({}, {}, [4, 8]),
        ({"every_n_train_steps": 3}, {}, [3, 4, 6, 8]),
        ({"every_n_train_steps": 1}, {"accumulate_grad_batches": 2}, [1, 2, 2, 3, 4, 4]),
        ({"every_n_minutes": 0}, {"accumulate_grad_batches": 2}, [1, 2, 2, 3, 4, 4]),
        ({"every_n_minutes": 60}, {}, [4, 8]),
        ({"every_n_train_steps": 5}, {"max_epochs": -1, "max_steps": 6}, [4, 5, 6]),
    ],
)
def test_checkpoints_are_written_when_they_are_asked_for(keep, options, steps, tmp_path):
    saves = Saves()
    train(tmp_path, saves, keep=keep, **options)
    assert saves.steps == steps


@pytest.mark.parametrize("name", ["every_n_train_steps", "every_n_minutes"])
def test_numbers_out_of_range_are_refused(name, tmp_path):
    with pytest.raises(ValueError, match=f"Expected argument `{name}` to be at least 0, but got -1; "):
        LastCheckpoint(folder=tmp_path, **{name: -1})


def test_what_a_killed_process_left_is_swept_up(tmp_path):
    left = last_path(tmp_path).with_name(".last.ckpt.123.tmp")
    left.parent.mkdir()
    left.write_bytes(b"half")
    train(tmp_path, limit_train_batches=1, max_epochs=1)
    assert [path.name for path in left.parent.iterdir()] == ["last.ckpt"]


def test_another_number_of_processes_within_an_epoch_is_refused(tmp_path):
    assert train_until_told(tmp_path) is None
    kept = torch.load(last_path(tmp_path), weights_only=True)
    kept["random"]["cpu"] = kept["random"]["cpu"].repeat(2, 1)
    torch.save(kept, last_path(tmp_path))
    with pytest.raises(ValueError, match=r"Expected as many processes as .* within an epoch, 2, but got 1; restore"):
        train(tmp_path)


@pytest.mark.parametrize("state", ["torn", "empty", "text", "foreign", "weights"])
def test_a_checkpoint_that_cannot_be_gone_on_from_is_named_in_one_line(state, tmp_path):
    path = last_path(tmp_path)
    assert find_last(tmp_path) is None
    path.parent.mkdir()
    torch.save({"state_dict": {"weight": torch.zeros(1000)}} if state == "weights" else [1, 2], path)
    content = {"torn": path.read_bytes()[:-100], "empty": b"", "text": b"no checkpoint"}
    if state in content:
        path.write_bytes(content[state])
    with pytest.raises(ValueError, match=r"^Expected .*last\.ckpt to be a .*checkpoint.*, but got") as refused:
        find_last(tmp_path)
    assert "\n" not in str(refused.value)
    assert str(refused.value).endswith("delete it to begin the run anew.")

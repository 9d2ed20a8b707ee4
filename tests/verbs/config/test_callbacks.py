from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
from omegaconf import OmegaConf
from pytorch_lightning.callbacks import EarlyStopping

from babelscope.training import AlignmentGuard
from babelscope.training.checkpoint import LastCheckpoint
from babelscope.verbs.config.callbacks import build_callbacks, read_callbacks, saves_checkpoints, watched_corpora
from babelscope.verbs.mirror.logger import EpochMirror
from tests.models.tiny import tiny_tokenizer
from tests.training.runs import PROBED, WATCHED, size

FOLDER = Path("run")
MISSPELT: dict[str, Any] = {"every": 3}


class Own(pl.Callback):
    def __init__(self, *, folder, run, width=1):
        self.given = folder, run, width


def build(partials):
    given = {"folder": FOLDER, "run": "r", "corpus": PROBED, "tokenizer": tiny_tokenizer(), "metrics": {}}
    return build_callbacks(partials, given, folder=FOLDER, logged=["train_loss", "validation_loss"])


def test_a_callback_gets_what_it_asks_for_and_lacks():
    own, done = partial(Own, run="mine", width=3), pl.Callback()
    first, second, mirror = build({"own": own, "done": done})
    assert first.given == (FOLDER, "mine", 3)
    assert second is done
    assert isinstance(mirror, EpochMirror)


def test_the_guard_comes_first_and_watches_its_own_corpus():
    guard = partial(AlignmentGuard, corpus=WATCHED, metric=size, key="size")
    partials = {"own": partial(Own), "alignment_guard": guard}
    assert [type(callback) for callback in build(partials)] == [AlignmentGuard, Own, EpochMirror]
    assert watched_corpora(partials) == {"callbacks.alignment_guard.corpus.split": WATCHED}


def test_no_callbacks_is_no_error():
    assert [type(one) for one in build(read_callbacks(OmegaConf.create({"callbacks": None})))] == [EpochMirror]


@pytest.mark.parametrize(
    ("callback", "message"),
    [
        (
            partial(LastCheckpoint, **MISSPELT),
            r"keys of `callbacks.one` to be among .*, but got `every`; nearest: every_n",
        ),
        (EarlyStopping("loss"), r"`callbacks.one.monitor` to be one of train_loss, validation_loss, but got 'loss'"),
    ],
)
def test_what_is_wrong_is_named_by_its_key(callback, message):
    with pytest.raises(ValueError, match=message):
        build({"one": callback})


def test_lightning_saves_only_beside_a_callback_that_does_or_on_request():
    assert saves_checkpoints(None, [LastCheckpoint(folder=FOLDER)])
    assert saves_checkpoints(True, [pl.Callback()])
    assert not saves_checkpoints(None, [pl.Callback()])

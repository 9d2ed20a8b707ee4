"""The table of values: what each key refuses, and what it takes."""

import os
from math import inf, nan
from typing import Any

import pytest
from omegaconf import OmegaConf

from babelscope.verbs.config.values import VALUES, check_values, integer, switch, text

ODD = ("abc", "", True, [1], {"a": 1}, nan)
"""What no number is."""
NUMBERS: dict[str, tuple[list[Any], list[Any]]] = {
    "seed": ([0, 2**32 - 1], [-1, 2**32, 0.5, None]),
    "sentences": ([1, None], [0, 1.5]),
    "task.max_length": ([2], [1, 1.5, None]),
    "task.batch_size": ([1], [0, 1.5, None]),
    "warmup": ([0, 0.1, 1, 1.0], [-1, 2, inf, None]),
    "optimizer.lr": ([0, 1e-5, 1, None], [-1, inf, -inf]),
    "optimizer.weight_decay": ([0, 0.01, None], [-1, inf]),
    "model.learning_rate": ([0, 1e-5], [-1, inf, None]),
    "trainer.max_epochs": ([-1, 0, 5, None], [-2, 1.5]),
    "trainer.max_steps": ([-1, 0, 5], [-2, 1.5, None]),
    "trainer.min_steps": ([0, None], [-1]),
    "trainer.accumulate_grad_batches": ([1, 4], [0, -1, 1.5, None]),
    "trainer.check_val_every_n_epoch": ([1, None], [0, -1, 0.5]),
    "trainer.gradient_clip_val": ([0, 1.0, inf, None], [-1]),
    "trainer.log_every_n_steps": ([0, 10, None], [-1, 1.5]),
    "trainer.num_sanity_val_steps": ([-1, 0, 2, None], [-2, 0.5]),
    "trainer.limit_train_batches": ([0, 3, 0.5, 1.0, None], [-1, 1.5]),
    "trainer.overfit_batches": ([0.0, 1], [-0.1]),
    "threads": ([1, os.cpu_count(), None], [0, 9999, 1.5]),
}
OTHERS: tuple[Any, ...] = ({}, None, 5, "adam")
CASES: list[tuple[str, Any, bool]] = [
    *((key, value, True) for key, (taken, _) in NUMBERS.items() for value in taken),
    *((key, value, False) for key, (_, refused) in NUMBERS.items() for value in refused),
    *((key, value, False) for key in NUMBERS for value in ODD),
    *(("trainer.val_check_interval", value, True) for value in (None, 1, 50, 0.5, 1.0, "00:01:00:00", {"hours": 1})),
    *(("trainer.val_check_interval", value, False) for value in (0, 0.0, -1, 1.5, "abc", "", True, nan, [1])),
    *((f"task.{name}", "train", True) for name in ("language", "train", "validation", "test")),
    *((f"task.{name}", v, False) for name in ("language", "train", "validation", "test") for v in (1, None, [1], " ")),
    *(("page", value, value in (True, False)) for value in (True, False, "abc", [1], None)),
    *((name, value, isinstance(value, dict)) for name in ("optimizer", "schedule") for value in OTHERS),
]


@pytest.mark.parametrize(("key", "value", "fits"), CASES)
def test_what_fits(key, value, fits):
    cfg = OmegaConf.create({})
    OmegaConf.update(cfg, key, value, force_add=True)
    if fits:
        check_values(cfg, VALUES)
        return
    with pytest.raises(ValueError, match=r"Expected `.*` to be .*, but got .*; .*\.") as refused:
        check_values(cfg, VALUES)
    (line,) = str(refused.value).splitlines()
    assert line.startswith(f"Expected `{key}` to be ")
    assert f", but got {'null' if value is None else repr(value)}; " in line


def test_a_key_that_is_not_there_is_passed_over():
    check_values(OmegaConf.create({"optimizer": {"_target_": "mine", "rate": "fast"}, "task": None}), VALUES)
    check_values(OmegaConf.create({"seed": "???"}), VALUES)  # whoever reads it says so


def test_what_is_said():
    with pytest.raises(ValueError, match=r"`n` to be a whole number from 1 to 4, or null, but got 5; .* is n=null\."):
        check_values(OmegaConf.create({"n": 5}), [integer("n", 1, "null", most=4)])
    with pytest.raises(ValueError, match=r"`on` to be true or false, but got null; write on=true\."):
        check_values(OmegaConf.create({"on": None}), [switch("on", "true")])
    with pytest.raises(ValueError, match=r"`a` to be text, a name, but got 5; write a=x; .*'a=\"5\"'\."):
        check_values(OmegaConf.create({"a": 5}), [text("a", "a name", "x")])

"""What a value has to be where no signature says so, as a table: its key, the contract, and the remedy."""

import math
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from omegaconf import DictConfig, OmegaConf

MOST = 2**32 - 1
"""Of a whole number: NumPy takes no larger seed."""
PROCESSORS = os.cpu_count() or 1
ABSENT = object()


@dataclass(frozen=True)
class Value:
    """What may stand at a key."""

    key: str
    contract: str
    fits: Callable[[Any], bool]
    remedy: str

    def check(self, found: Any) -> None:
        """Refuse what stands at the key and breaks the contract.

        Raises:
            ValueError: if it does.
        """
        if not self.fits(found):
            shown = "null" if found is None else repr(found)
            raise ValueError(f"Expected `{self.key}` to be {self.contract}, but got {shown}; {self.remedy}.")


def check_values(cfg: DictConfig, values: Sequence[Value]) -> None:
    """Refuse what breaks its contract; a key that this configuration does not have is passed over.

    Raises:
        ValueError: if a value does; the first is named.
    """
    for value in values:
        found = OmegaConf.select(cfg, value.key, default=ABSENT)
        if found is not ABSENT:
            value.check(found)


def is_number(value: Any) -> bool:
    """Whether it is one, to YAML: true and false are none, and neither is nan."""
    return isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)


def is_integer(value: Any, least: int = 0, most: int = MOST) -> bool:
    """Whether it is a whole number in bounds."""
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def is_share(value: Any) -> bool:
    """Whether it is a number from 0 to 1."""
    return is_number(value) and 0 <= value <= 1


def is_finite(value: Any) -> bool:
    """Whether it is a number from 0 that is not infinite."""
    return is_number(value) and 0 <= value < math.inf


def is_text(value: Any) -> bool:
    """Whether it is text, of which some can be seen."""
    return isinstance(value, str) and value.strip() != ""


def integer(
    key: str, least: int, usual: str = "", *, most: int = MOST, optional: bool = False, remedy: str = ""
) -> Value:
    """Make the row of a whole number.

    Args:
        key: Where it stands.
        least: The smallest that is allowed.
        usual: What to write; null makes it optional.
        most: The largest that is allowed.
        optional: Whether null is allowed.
        remedy: Said instead of the usual value.
    """
    optional = optional or usual == "null"
    return Value(
        key,
        f"a whole number from {least} to {most}{', or null' if optional else ''}",
        lambda value: (optional and value is None) or is_integer(value, least, most),
        remedy or f"the usual value is {key}={usual}",
    )


def switch(key: str, usual: str) -> Value:
    """Make the row of what is on or off."""
    return Value(key, "true or false", lambda value: isinstance(value, bool), f"write {key}={usual}")


def text(key: str, what: str, example: str, *, optional: bool = False) -> Value:
    """Make the row of a text."""
    return Value(
        key,
        f"text, {what}{', or null' if optional else ''}",
        lambda value: (optional and value is None) or is_text(value),
        f"write {key}={example}; a number that is a name has quotes of its own: '{key}=\"5\"'",
    )


def _threads() -> Value:
    """Make the row of threads; those of a job with fewer processors than its machine are advised, not imposed."""
    own = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else PROCESSORS
    return Value(
        "threads",
        f"null or a whole number from 1 to {PROCESSORS}, the processors of this machine",
        lambda value: value is None or is_integer(value, 1, PROCESSORS),
        f"write threads={own}, as many as this process may use at once, or null",
    )


def _batches(key: str) -> Value:
    return Value(
        f"trainer.{key}",
        "null, a whole number from 0, or a share from 0 to 1",
        lambda value: value is None or is_integer(value) or is_share(value),
        f"write how many batches, or null for all; trainer.{key}=1.0 is all of them, too",
    )


def _is_interval(value: Any) -> bool:
    """Whether Lightning validates by it: after a share of an epoch, some batches, or some time."""
    if isinstance(value, str):
        return re.fullmatch(r"\d+:\d\d:\d\d:\d\d", value) is not None
    return (
        value is None
        or OmegaConf.is_dict(value)
        or is_integer(value, 1)
        or (isinstance(value, float) and 0 < value <= 1)
    )


TRAINER = (
    Value(
        "trainer.max_epochs",
        "null, a whole number from 0, or -1 for no end",
        lambda value: value is None or is_integer(value, -1),
        "write how many, as trainer.max_epochs=5, or null beside trainer.max_steps=1000",
    ),
    Value(
        "trainer.max_steps",
        "a whole number from 0, or -1 for no end",
        lambda value: is_integer(value, -1),
        "write how many, as trainer.max_steps=1000, or -1 to train for trainer.max_epochs",
    ),
    integer("trainer.min_epochs", 0, "null"),
    integer("trainer.min_steps", 0, "null"),
    integer("trainer.accumulate_grad_batches", 1, "1"),
    Value(
        "trainer.val_check_interval",
        "null, a share of an epoch above 0 and at most 1.0, a whole number of batches from 1, or DD:HH:MM:SS",
        _is_interval,
        "write trainer.val_check_interval=1.0 for once an epoch, or ++trainer.limit_val_batches=0 for no validation",
    ),
    Value(
        "trainer.check_val_every_n_epoch",
        "a whole number from 1, or null",
        lambda value: value is None or is_integer(value, 1),
        "write trainer.check_val_every_n_epoch=1, or ++trainer.limit_val_batches=0 for no validation",
    ),
    Value(
        "trainer.gradient_clip_val",
        "a number from 0, or null",
        lambda value: value is None or (is_number(value) and value >= 0),
        "the usual value is trainer.gradient_clip_val=1.0; null clips nothing",
    ),
    Value(
        "trainer.log_every_n_steps",
        "a whole number from 0, or null",
        lambda value: value is None or is_integer(value),
        "the usual value is trainer.log_every_n_steps=10; 0 logs nothing",
    ),
    Value(
        "trainer.num_sanity_val_steps",
        "null, a whole number from 0, or -1 for all",
        lambda value: value is None or is_integer(value, -1),
        "the usual value is trainer.num_sanity_val_steps=0",
    ),
    *map(_batches, ("limit_train_batches", "limit_val_batches", "limit_test_batches", "overfit_batches")),
)
"""What Lightning's types do not tell, or what it takes and then fails by."""

OPTIMIZATION = (
    # `optimizer.lr` is what this one is, unless it is given itself
    Value("model.learning_rate", "a finite number from 0", is_finite, "write it as model.learning_rate=1e-5"),
    Value("optimizer", "an optimizer", OmegaConf.is_dict, "leave it out, or set optimizer._target_"),
    Value("schedule", "a schedule", OmegaConf.is_dict, "leave it out, or set schedule._target_"),
    Value(
        "optimizer.lr",
        "a finite number from 0",
        lambda value: value is None or is_finite(value),  # some find their own; the signature says whether this one
        "write it as optimizer.lr=1e-5, or leave it out for that of the model",
    ),
    Value(
        "optimizer.weight_decay",
        "a finite number from 0",
        lambda value: value is None or is_finite(value),
        "the usual value is optimizer.weight_decay=0.01",
    ),
    Value("warmup", "a share of all steps, from 0 to 1", is_share, "the usual value is warmup=0.1"),
)

VALUES = (
    integer("seed", 0, "0"),
    _threads(),
    integer("sentences", 1, "null", remedy="leave it out, or write sentences=null for all there are"),
    integer("max_tokens", 1, "4096"),
    integer("batch_size", 1, "16"),
    integer("limit", 1, "null"),
    integer("num_fewshot", 0, "null"),
    integer("max_length", 2, "null"),
    text("task.language", "the code of a language", "eng_Latn"),
    *(text(f"task.{split}", "the name of a split", name) for split, name in (("train", "train"), ("test", "test"))),
    text("task.validation", "the name of a split", "dev"),
    integer("task.batch_size", 1, "16"),
    integer("task.max_length", 2, "256"),
    integer("task.examples", 1, "null"),
    switch("page", "false"),
    *OPTIMIZATION,
    *TRAINER,
)
"""Of the verbs that compute something."""

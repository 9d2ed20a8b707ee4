"""The callbacks of a training, from configuration to objects, in the order in which they have to be called."""

import inspect
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from hydra.utils import instantiate
from omegaconf import DictConfig
from pytorch_lightning.callbacks import Checkpoint

from babelscope.data.corpora import Corpus
from babelscope.training.guard import AlignmentGuard
from babelscope.training.monitors import refuse_unknown_monitors
from babelscope.verbs.config.signature import check_arguments
from babelscope.verbs.mirror.logger import EpochMirror

Partials = Mapping[str, Any]
"""Callbacks by their keys in the configuration; `partial` where the run has yet to complete the arguments."""


def read_callbacks(cfg: DictConfig) -> Partials:
    """Instantiate what does not depend on the run, such as a callback's own corpus."""
    partials: Partials = instantiate(cfg.get("callbacks") or {})  # Hydra leaves the key of an empty list out
    return partials


def watched_corpora(partials: Partials) -> dict[str, Corpus]:
    """Return the corpora that callbacks bring, by the key of their split."""
    return {
        f"callbacks.{key}.corpus.split": callback.keywords["corpus"]
        for key, callback in partials.items()
        if isinstance(callback, partial) and "corpus" in callback.keywords
    }


def build_callbacks(
    partials: Partials, given: Mapping[str, Any], *, folder: Path, logged: Sequence[str]
) -> list[pl.Callback]:
    """Complete the callbacks of a run and put them in order.

    Args:
        partials: What `read_callbacks` returned.
        given: What the run knows, by the names of the arguments that ask for it.
        folder: Run folder.
        logged: What the training logs, by which callbacks may decide.

    Raises:
        ValueError: naming the key of a callback, if an argument is wrong or it decides by what is not logged.
    """
    built = {key: _complete(key, callback, given) for key, callback in partials.items()}
    refuse_unknown_monitors(built, logged)
    # the guard repairs what the others measure, and the mirror reads what the others wrote
    ordered = sorted(built.values(), key=lambda callback: not isinstance(callback, AlignmentGuard))
    return [*ordered, EpochMirror(folder)]


def saves_checkpoints(asked: bool | None, callbacks: Sequence[pl.Callback]) -> bool:
    """Return whether checkpoints are written: by a callback, or by Lightning's own on explicit request only.

    Raises:
        ValueError: if they are asked not to be, beside a callback that writes them.
    """
    has_checkpoint = any(isinstance(callback, Checkpoint) for callback in callbacks)
    if has_checkpoint and asked is False:
        raise ValueError(
            "Expected `trainer.enable_checkpointing` not to be false beside a callback that writes checkpoints, but "
            "got false; leave `checkpoint` out of `callbacks`, or this setting."
        )
    return has_checkpoint if asked is None else asked


def _complete(key: str, callback: Any, given: Mapping[str, Any]) -> pl.Callback:
    """Add to a partial callback what its signature asks for and the run knows; what it has already stays."""
    if not isinstance(callback, partial):
        return callback
    check_arguments(f"callbacks.{key}", callback)
    for name, value in callback.keywords.items():
        check_arguments(f"callbacks.{key}.{name}", value)
    asked = inspect.signature(callback.func).parameters.keys() - callback.keywords.keys()
    try:
        return callback(**{name: value for name, value in given.items() if name in asked})
    except ValueError as error:
        place = "" if f"`callbacks.{key}" in str(error) else f"`callbacks.{key}`: "
        raise ValueError(f"{place}{error}") from error

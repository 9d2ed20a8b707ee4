"""Training that has diverged ends as an error: losses and weights that are not finite are no result."""

import math
from typing import NoReturn

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

EVERY = 50
"""Batches between two checks where a check takes time, because it waits for a GPU or for other processes."""


class Divergence:
    """Losses of training that are not checked yet, each with its optimizer step.

    On the CPU of a single process each is checked as it comes. Gradients that are not finite are no divergence: with
    `precision="16-mixed"`, Lightning leaves such a step out and goes on.
    """

    def __init__(self) -> None:
        self.losses: list[tuple[int, Tensor]] = []

    def add(self, loss: Tensor, trainer: pl.Trainer, where: str) -> None:
        """Add the loss of a batch, and check the losses where it is time to.

        Raises:
            ValueError: as `check` does.
        """
        self.losses.append((trainer.global_step + 1, loss.detach()))
        if len(self.losses) >= EVERY or (loss.device.type == "cpu" and trainer.world_size == 1):
            self.check(trainer, where)

    def check(self, trainer: pl.Trainer, where: str) -> None:
        """Check the losses that were added since the last check, in all processes alike.

        Raises:
            ValueError: if a loss is not finite in any process; raised in the first one, while the others exit.
        """
        if not self.losses:
            return
        steps, losses = zip(*self.losses, strict=True)
        self.losses = []
        values = torch.stack([loss.float() for loss in losses]).tolist()
        bad = [(step, value) for step, value in zip(steps, values, strict=True) if not math.isfinite(value)]
        if not trainer.strategy.reduce_boolean_decision(not bad, all=True):
            step, value = bad[0] if bad else (steps[-1], "a non-finite loss in another process")
            _end(trainer, _message("a finite loss", value, f"in step {step} of {where}", trainer, trained=step > 1))


def refuse_non_finite_loss(loss: Tensor, trainer: pl.Trainer, where: str) -> None:
    """Refuse a loss of validation or test that is not finite; every process has the same one.

    Raises:
        ValueError: if it is not.
    """
    if not math.isfinite(value := float(loss)):
        step = trainer.global_step
        raise ValueError(_message("a finite loss", value, f"in {where} after step {step}", trainer, trained=step > 0))


def refuse_non_finite_weights(model: nn.Module, trainer: pl.Trainer) -> None:
    """Refuse weights that the last step has made non-finite, before the next loss would tell.

    Raises:
        ValueError: if a weight that trains is not finite in any process; raised in the first one, while the others
            exit.
    """
    # a sum is finite if all are, and unlike `isfinite` it makes no copy of a large matrix
    trained = ((name, weights) for name, weights in model.named_parameters() if weights.requires_grad)
    bad = next((name for name, weights in trained if not math.isfinite(_total(weights))), None)
    if not trainer.strategy.reduce_boolean_decision(bad is None, all=True):
        value = f"NaN or infinite values in {bad or 'another process'}"
        _end(trainer, _message("finite weights", value, f"after step {trainer.global_step}", trainer, trained=True))


def _total(weights: Tensor) -> float:
    return float(weights.detach().sum(dtype=torch.float32 if weights.dtype.itemsize < 4 else None))


def _end(trainer: pl.Trainer, message: str) -> NoReturn:
    """End a training in all of its processes, of which the first says why."""
    if trainer.is_global_zero:
        raise ValueError(message)
    # Lightning takes any other exit of a process that it started for a crash, and kills the first one
    raise SystemExit(0)


def _message(contract: str, value: float | str, where: str, trainer: pl.Trainer, *, trained: bool) -> str:
    return f"Expected {contract}, but got {value} {where}; {_remedy(trainer, trained=trained)}."


def _remedy(trainer: pl.Trainer, *, trained: bool) -> str:
    lower = "lower optimizer.lr" if trained else "check the checkpoint, of which nothing is trained yet"
    if str(trainer.precision).startswith("16"):
        return f"write trainer.precision=bf16-mixed or 32-true, for 16 has a small range, or {lower}"
    if any(weights.dtype == torch.float16 for weights in trainer.lightning_module.parameters()):
        return f"write model.dtype=bfloat16 or float32, for float16 has a small range, or {lower}"
    return lower

"""Training that has diverged ends as an error: losses and weights that are not finite are no result."""

import math

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

EVERY = 50
"""Batches between two looks at the losses where a look costs time: it waits for a GPU, or for other processes."""


class Divergence:
    """Losses of training that nobody has looked at yet, by the optimizer step that they are of.

    On the CPU of a single process each is looked at as it comes. Gradients that are not finite are no divergence: with
    `precision="16-mixed"`, Lightning leaves such a step out and goes on.
    """

    def __init__(self) -> None:
        self.losses: list[tuple[int, Tensor]] = []

    def note(self, loss: Tensor, trainer: pl.Trainer, where: str) -> None:
        """Remember the loss of a batch, and look where it is time to.

        Raises:
            ValueError: as `look` does.
        """
        self.losses.append((trainer.global_step + 1, loss.detach()))
        if len(self.losses) >= EVERY or (loss.device.type == "cpu" and trainer.world_size == 1):
            self.look(trainer, where)

    def look(self, trainer: pl.Trainer, where: str) -> None:
        """Look at what is remembered, in all processes alike.

        Raises:
            ValueError: if a loss is not finite, in all of them.
        """
        if not self.losses:
            return
        steps, losses = zip(*self.losses, strict=True)
        self.losses = []
        values = torch.stack([loss.float() for loss in losses]).tolist()
        bad = [(step, value) for step, value in zip(steps, values, strict=True) if not math.isfinite(value)]
        if not trainer.strategy.reduce_boolean_decision(not bad, all=True):
            step, value = bad[0] if bad else (steps[-1], "one that is not in another process")
            raise ValueError(_said("loss", value, f"in step {step} of {where}", trainer, trained=step > 1))


def refuse_non_finite_loss(loss: Tensor, trainer: pl.Trainer, where: str) -> None:
    """Refuse a loss of validation or test that is not finite.

    Raises:
        ValueError: if it is not.
    """
    if not math.isfinite(value := float(loss)):
        step = trainer.global_step
        raise ValueError(_said("loss", value, f"in {where} after step {step}", trainer, trained=step > 0))


def refuse_non_finite_weights(model: nn.Module, trainer: pl.Trainer) -> None:
    """Refuse what the last step made of the weights, which no loss tells before the next one.

    Raises:
        ValueError: if a weight that trains is not finite, in all processes.
    """
    # a sum is finite if all are, and unlike `isfinite` it makes no copy of a large matrix
    kept = ((name, weights) for name, weights in model.named_parameters() if weights.requires_grad)
    bad = next((name for name, weights in kept if not math.isfinite(_total(weights))), None)
    if not trainer.strategy.reduce_boolean_decision(bad is None, all=True):
        step = trainer.global_step
        value = f"others in {bad}" if bad else "others in another process"
        raise ValueError(_said("weights", value, f"after step {step}", trainer, trained=True))


def _total(weights: Tensor) -> float:
    return float(weights.detach().sum(dtype=torch.float32 if weights.dtype.itemsize < 4 else None))


def _said(what: str, value: float | str, where: str, trainer: pl.Trainer, *, trained: bool) -> str:
    of = "a finite loss" if what == "loss" else f"finite {what}"
    return f"Expected {of}, but got {value} {where}; {_remedy(trainer, trained=trained)}."


def _remedy(trainer: pl.Trainer, *, trained: bool) -> str:
    lower = "lower optimizer.lr" if trained else "check the checkpoint, of which nothing is trained yet"
    if str(trainer.precision).startswith("16"):
        return f"write trainer.precision=bf16-mixed or 32-true, for 16 has a small range, or {lower}"
    if any(weights.dtype == torch.float16 for weights in trainer.lightning_module.parameters()):
        return f"write model.dtype=bfloat16 or float32, for float16 has a small range, or {lower}"
    return lower

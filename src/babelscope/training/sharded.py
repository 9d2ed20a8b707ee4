"""Strategies that leave each process a part of the weights, of which no process can embed or export by itself."""

import pytorch_lightning as pl
from pytorch_lightning.strategies import FSDPStrategy, ModelParallelStrategy


def refuse_sharded(trainer: pl.Trainer, callback: pl.Callback) -> None:
    """Refuse a strategy under which a callback that runs the model in one process would wait for the others forever.

    Raises:
        ValueError: if weights are sharded.
    """
    strategy = trainer.strategy
    if isinstance(strategy, FSDPStrategy | ModelParallelStrategy) or getattr(strategy, "zero_stage_3", False):
        raise ValueError(
            f"Expected `trainer.strategy` to leave the whole model to every process, as {type(callback).__name__} runs "
            f"or saves it there, but got {type(strategy).__name__}; use ddp, with model.dtype=bfloat16, adapter=lora "
            "or frozen layers where memory is short."
        )

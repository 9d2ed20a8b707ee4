"""Corrections to Lightning's loops, so that a run that stopped within an epoch goes on as if it had not."""

from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.loops.evaluation_loop import RestartStage
from torch import Tensor


def is_within(checkpoint: dict[str, Any]) -> bool:
    """Whether a checkpoint is being written at the end of a batch, before what comes between it and the next."""
    batches = checkpoint["loops"]["fit_loop"]["epoch_loop.batch_progress"]["current"]
    return bool(batches["processed"] > batches["completed"])


def count_batch(trainer: pl.Trainer, checkpoint: dict[str, Any]) -> None:
    """Count the batch as over in a checkpoint that is written at its end, and a validation that is due as to come.

    Left alone, Lightning would skip that validation after a restart, and at the last batch also the end of the epoch.
    """
    loops = checkpoint["loops"]["fit_loop"]
    batches = loops["epoch_loop.batch_progress"]
    for count in (batches["current"], batches["total"]):
        count["completed"] = count["processed"]
    if _is_validation_due(trainer):
        loops["epoch_loop.val_loop.batch_progress"]["current"] = dict.fromkeys(batches["current"], 0)
    else:
        loops["epoch_loop.state_dict"]["_batches_that_stepped"] += 1  # Lightning's step of what is logged


def resume_loops(trainer: pl.Trainer) -> None:
    """After a restart, do next what was due when the checkpoint was written, and nothing twice."""
    epochs, loop, fetcher = trainer.fit_loop, trainer.fit_loop.epoch_loop, trainer.fit_loop._data_fetcher
    if epochs.restarted_on_epoch_end:  # where steps are limited, Lightning would end the epoch again
        epochs.epoch_progress.increment_completed()
        epochs.reset_restart_stage()
        epochs._restarting = loop.restarting = False
    if not (epochs.restarted_mid_epoch and loop.restarted_on_last):
        return
    if _is_validation_due(trainer):
        loop.val_loop._restart_stage = RestartStage.RESTARTED_MID_EVALUATION
    elif loop.batch_progress.is_last_batch and fetcher is not None:
        fetcher.done = True


def _is_validation_due(trainer: pl.Trainer) -> bool:
    fetcher = trainer.fit_loop._data_fetcher
    assert fetcher is not None
    return trainer.fit_loop.epoch_loop._should_check_val_fx(fetcher)


def random_states(module: pl.LightningModule) -> dict[str, Tensor]:
    """Gather the states (P, N) of torch's random generators, one row per process; to be called by all of them."""
    states = {"cpu": torch.get_rng_state()}
    if module.device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(module.device)
    return {name: _gather(module, state) for name, state in states.items()}


def set_random_states(module: pl.LightningModule, states: dict[str, Tensor]) -> None:
    """Set torch's random generators to such states.

    Raises:
        ValueError: if they are of another number of processes.
    """
    trainer = module.trainer
    if len(states["cpu"]) != trainer.world_size:
        raise ValueError(
            f"Expected as many processes as there were when the run stopped within an epoch, {len(states['cpu'])}, but "
            f"got {trainer.world_size}; restore trainer.devices and trainer.num_nodes, or delete its last.ckpt."
        )
    # copies, for torch dies of a state that begins within another tensor
    torch.set_rng_state(states["cpu"][trainer.global_rank].clone())
    if module.device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"][trainer.global_rank].clone(), module.device)


def _gather(module: pl.LightningModule, state: Tensor) -> Tensor:
    trainer = module.trainer
    everyones = state.new_zeros(trainer.world_size, len(state))
    everyones[trainer.global_rank] = state
    # the rows of others are 0, so the sum is the whole
    gathered: Tensor = trainer.strategy.reduce(everyones.to(module.device), reduce_op="sum")
    return gathered.cpu()

"""The checkpoint that a repeated command goes on from: whole at every moment, and exact within an epoch."""

import pickle
import sys
import time
from pathlib import Path
from signal import Signals
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins import TorchCheckpointIO
from pytorch_lightning.callbacks import Checkpoint

from babelscope.files import whole_file
from babelscope.training.interrupt import Interrupts
from babelscope.training.progress import callbacks_of, is_last_step, is_trial
from babelscope.training.within_epoch import count_batch, is_within, random_states, resume_loops, set_random_states

TIME = 1
"""What processes tell each other when it is time to save; larger numbers are signals, and SIGHUP (1) is not handled."""


class LastCheckpoint(Checkpoint):
    """Keep `checkpoints/last.ckpt` in the run folder, and save before a signal ends the run.

    It is written at the end of epochs; within them, after so many steps or minutes; and, on SIGTERM, SIGUSR2 or Ctrl-C,
    at the end of the current optimizer step, in all processes alike. Then the handler of before gets the signal, such
    as submitit's, which requeues the job; if there was none, the run exits with 128 + the signal's number. A second
    Ctrl-C ends at once. A run that goes on from any of these checkpoints is bit for bit the one that it would have
    been: same batches, dropout and masks, same weights, same rows.

    A validation that has begun is finished first, and so are the measurements at its end and at step 0. If the process
    is killed first, what was trained since the last checkpoint is lost. Before training and after it, as in the final
    test, signals do what they always did; see also `exit_by_signal`.

    Args:
        folder: Run folder.
        every_n_train_steps: Save after so many optimizer steps, too; 0 does not.
        every_n_minutes: Save after so much time, too; None does not.

    Raises:
        ValueError: if a number is out of range.
    """

    def __init__(self, *, folder: str | Path, every_n_train_steps: int = 0, every_n_minutes: float | None = None):
        if every_n_train_steps < 0:
            raise ValueError(
                f"Expected argument `every_n_train_steps` to be at least 0, but got {every_n_train_steps}; 0 saves at "
                "the end of epochs alone."
            )
        if every_n_minutes is not None and every_n_minutes < 0:
            raise ValueError(
                f"Expected argument `every_n_minutes` to be at least 0, but got {every_n_minutes}; null saves at the "
                "end of epochs alone."
            )
        self.path = last_path(folder)
        self.every_n_train_steps, self.every_n_minutes = every_n_train_steps, every_n_minutes
        self.interrupts = Interrupts()
        self.loaded: dict[str, Any] = {}
        self.saved_at = 0.0

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Write checkpoints atomically, and remove what a killed process left of one."""
        if type(trainer.strategy.checkpoint_io) is TorchCheckpointIO:
            trainer.strategy.checkpoint_io = AtomicCheckpointIO()
        if trainer.is_global_zero:
            for left in self.path.parent.glob(f".{self.path.name}.*.tmp"):
                left.unlink(missing_ok=True)

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Remember the signal handlers before Lightning replaces them; it puts them back when training is over."""
        self.interrupts.remember_handlers()

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Go on exactly where a checkpoint was written, and hold signals back from now on."""
        if trainer.fit_loop.restarted_mid_epoch and "random" in self.loaded:
            set_random_states(pl_module, self.loaded["random"])
        trainer.should_stop = trainer.should_stop or self.loaded.get("should_stop", False)
        self.loaded = {}
        resume_loops(trainer)
        self.interrupts.install()
        if trainer.received_sigterm:  # by Lightning, until here
            self.interrupts.pending = Signals.SIGTERM
        self.saved_at = time.monotonic()

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *args: Any) -> None:
        """Save if it is time to, and end if that is asked for; gradients are never among what is saved."""
        if trainer.fit_loop._should_accumulate() or is_last_step(trainer):
            return
        signum = self._agree(trainer)
        if signum or (self.every_n_train_steps and trainer.global_step % self.every_n_train_steps == 0):
            self._save(trainer)
        self._deliver(trainer, signum)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Save at the end of an epoch."""
        if not is_last_step(trainer):
            self._save(trainer)
            self._deliver(trainer, self._agree(trainer))

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Deliver a signal that came since the last epoch was saved."""
        if is_last_step(trainer):  # which need not end an epoch, so that others may have waited for this
            self._save(trainer)
        signum = self._agree(trainer)
        self.interrupts.restore()
        self._deliver(trainer, signum)

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Add what Lightning does not keep."""
        checkpoint["should_stop"] = trainer.should_stop
        if is_within(checkpoint):
            count_batch(trainer, checkpoint)
            checkpoint["random"] = random_states(pl_module)

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Keep what `on_train_start` needs to go on."""
        self.loaded = {key: checkpoint[key] for key in ("random", "should_stop") if key in checkpoint}

    def _agree(self, trainer: pl.Trainer) -> int:
        """Return, in all processes, the signal that any of them was sent, or TIME to save; 0 for neither."""
        minutes = (time.monotonic() - self.saved_at) / 60
        is_time = self.every_n_minutes is not None and minutes >= self.every_n_minutes
        signum = int(self.interrupts.pending) or TIME * is_time
        if trainer.world_size == 1:
            return signum
        own = torch.tensor(signum, device=trainer.strategy.root_device)
        return int(trainer.strategy.reduce(own, reduce_op="max"))

    def _save(self, trainer: pl.Trainer) -> None:
        if not is_trial(trainer):
            trainer.save_checkpoint(self.path)
        self.saved_at = time.monotonic()

    def _deliver(self, trainer: pl.Trainer, signum: int) -> None:
        if signum <= TIME:
            return
        if trainer.is_global_zero:
            message = f"told to end by {Signals(signum).name}; saved at step {trainer.global_step}: {self.path}"
            print(f"\nbabelscope: {message}", file=sys.stderr, flush=True)
        # Lightning takes any other exit of a process that it started for a crash, and kills the first one
        self.interrupts.deliver(signum, code=128 + signum if trainer.is_global_zero else 0)


class AtomicCheckpointIO(TorchCheckpointIO):
    """Write checkpoints under a temporary name in their own folder; Lightning may copy one over the last."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        """Replace a checkpoint by a complete new one."""
        try:
            with whole_file(Path(path)) as temporary, temporary.open("wb") as file:
                torch.save(checkpoint, file)
        except RuntimeError as error:
            if isinstance(error.__context__, OSError):  # torch hides a full disk behind an error of its zip writer
                raise error.__context__ from None
            raise


def hold_signals(trainer: pl.Trainer) -> None:
    """Let `LastCheckpoint` hold signals back already while step 0 is measured, before its own turn at `on_train_start`.

    Lightning's handler of SIGTERM broadcasts at once, which processes do not survive that are exchanging states.
    """
    for callback in callbacks_of(trainer, LastCheckpoint):
        callback.interrupts.install()


def last_path(folder: str | Path) -> Path:
    """Return where the last checkpoint of a run folder is."""
    return Path(folder) / "checkpoints" / "last.ckpt"


def find_last(folder: str | Path) -> Path | None:
    """Find the checkpoint that a run folder goes on from; None where there is none.

    Raises:
        ValueError: if it is torn, or was not written by a training.
    """
    path = last_path(folder)
    if not path.is_file():  # a strategy that shards what it saves makes a folder
        return path if path.exists() else None
    remedy = "delete it to begin the run anew."
    try:
        kept = torch.load(path, map_location="meta", mmap=True, weights_only=True)  # reads no tensor
    except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
        reason = " ".join(str(error).split())[:120]
        raise ValueError(f"Expected {path} to be a whole checkpoint, but got: {reason}; {remedy}") from error
    if not isinstance(kept, dict) or not {"state_dict", "loops", "optimizer_states"} <= kept.keys():
        raise ValueError(f"Expected {path} to be a checkpoint of a training, but got something else; {remedy}")
    return path

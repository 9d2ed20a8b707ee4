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
from babelscope.training.progress import is_last_step
from babelscope.training.within_epoch import count_batch, go_on, is_within, random_states, set_random_states

TIME = 1
"""What processes tell each other when it is time to save; larger numbers are signals, none of which is SIGHUP."""


class LastCheckpoint(Checkpoint):
    """Keep `checkpoints/last.ckpt` in the run folder, and save before a signal ends the run.

    It is written at the end of epochs; within them, after so many steps or minutes; and, on SIGTERM, SIGUSR2 or Ctrl-C,
    at the end of the optimizer step that runs, in all processes alike. Then whoever heeded the signal before does so,
    such as submitit, which requeues the job; where nobody did, the run ends with 128 + the signal's number. A second
    Ctrl-C ends at once. A run that goes on from any of these checkpoints is the one that it would have been, to the
    bit: same batches, dropout and masks, same weights, same rows.

    A validation that runs is brought to its end first, and so are measurements at its end and at step 0. What is lost
    where the process is killed before is what was trained since the last checkpoint. Before training and after it, as
    in the final test, signals do what they always did; see `told_to_end`, too.

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
        """Write checkpoints whole, and sweep up what a killed process left of one."""
        if type(trainer.strategy.checkpoint_io) is TorchCheckpointIO:
            trainer.strategy.checkpoint_io = WholeFiles()
        if trainer.is_global_zero:
            for left in self.path.parent.glob(f".{self.path.name}.*.tmp"):
                left.unlink(missing_ok=True)

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Note who heeds signals; Lightning is about to, and will give them back when the training is over."""
        self.interrupts.look()

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Go on exactly where a checkpoint was written, and heed signals from now on."""
        if trainer.fit_loop.restarted_mid_epoch and "random" in self.loaded:
            set_random_states(pl_module, self.loaded["random"])
        trainer.should_stop = trainer.should_stop or self.loaded.get("should_stop", False)
        self.loaded = {}
        go_on(trainer)
        self.interrupts.take()
        if trainer.received_sigterm:  # by Lightning, until here
            self.interrupts.told = Signals.SIGTERM
        self.saved_at = time.monotonic()

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *args: Any) -> None:
        """Save if it is time to, and end if that is asked for; gradients are never among what is saved."""
        if trainer.fit_loop._should_accumulate() or is_last_step(trainer):
            return
        word = self._agree(trainer)
        if word or (self.every_n_train_steps and trainer.global_step % self.every_n_train_steps == 0):
            self._save(trainer)
        self._heed(trainer, word)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Save at the end of an epoch."""
        if not is_last_step(trainer):
            self._save(trainer)
            self._heed(trainer, self._agree(trainer))

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Heed what came since the last epoch was saved."""
        if is_last_step(trainer):  # which need not end an epoch, so that others may have waited for this
            self._save(trainer)
        word = self._agree(trainer)
        self.interrupts.give_back()
        self._heed(trainer, word)

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
        """Take it again."""
        self.loaded = {key: checkpoint[key] for key in ("random", "should_stop") if key in checkpoint}

    def _agree(self, trainer: pl.Trainer) -> int:
        """Tell all processes the signal that any of them was sent, or that it is time to save; 0 for neither."""
        minutes = (time.monotonic() - self.saved_at) / 60
        is_time = self.every_n_minutes is not None and minutes >= self.every_n_minutes
        word = int(self.interrupts.told) or TIME * is_time
        if trainer.world_size == 1:
            return word
        own = torch.tensor(word, device=trainer.strategy.root_device)
        return int(trainer.strategy.reduce(own, reduce_op="max"))

    def _save(self, trainer: pl.Trainer) -> None:
        trainer.save_checkpoint(self.path)
        self.saved_at = time.monotonic()

    def _heed(self, trainer: pl.Trainer, word: int) -> None:
        if word <= TIME:
            return
        if trainer.is_global_zero:
            said = f"told to end by {Signals(word).name}; saved at step {trainer.global_step}: {self.path}"
            print(f"\nbabelscope: {said}", file=sys.stderr, flush=True)
        # of processes that the first one started, it would take any other exit for a crash, and kill itself
        self.interrupts.hand_on(word, code=128 + word if trainer.is_global_zero else 0)


class WholeFiles(TorchCheckpointIO):
    """Write checkpoints under a temporary name in their own folder; Lightning's way may copy one over the last."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        """Replace a checkpoint by a whole new one."""
        try:
            with whole_file(Path(path)) as temporary, temporary.open("wb") as file:
                torch.save(checkpoint, file)
        except RuntimeError as error:
            if isinstance(error.__context__, OSError):  # torch hides a full disk behind what its zip file says of it
                raise error.__context__ from None
            raise


def last_path(folder: str | Path) -> Path:
    """Tell where the last checkpoint of a run folder is."""
    return Path(folder) / "checkpoints" / "last.ckpt"


def find_last(folder: str | Path) -> Path | None:
    """Find the checkpoint that a run folder goes on from; None where there is none.

    Raises:
        ValueError: it is torn, or was not written by a training.
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

"""Jobs that end in every way that jobs end, and some that go on until they may end."""

import os
import signal
import time
from pathlib import Path

import pytorch_lightning as pl


class Doing(pl.Callback):
    """Part of a fine-tuning: do something to it.

    Args:
        what: wait trains slowly until there is a file named `go` in the run folder.
        folder: Run folder.
    """

    def __init__(self, *, what: str, folder: Path):
        self.what, self.folder = what, folder

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.what == "mistake":
            raise ValueError("Expected `what` to be right, but got a mistake; mend it.")
        if self.what == "defect":
            raise KeyError("ours")
        if self.what == "memory":
            held = b"x" * (2 * 2**30)
            time.sleep(60)
            del held
        if self.what == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.what == "rank" and trainer.global_rank == 1:
            raise ValueError("Expected rank 1 to be well, but got one that is not; cure it.")

    def on_train_batch_end(self, trainer: pl.Trainer, *args: object) -> None:
        if self.what == "wait" and not (self.folder / "go").exists():
            (self.folder / "steps").write_text(str(trainer.global_step))
            # a slow machine must not come to the end before the test has said so
            time.sleep(1 if trainer.global_step < 12 else 5)

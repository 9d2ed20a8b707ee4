"""Signals that ask a training to end: remembered until all is saved, then handed to whoever heeded them before."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.utilities.exceptions import SIGTERMException

HEEDED = (signal.SIGINT, signal.SIGUSR2, signal.SIGTERM)
"""Ctrl-C; what submitit sends before a time limit or a preemption; what docker, spot machines and scancel send."""


class Interrupts:
    """Remember a signal instead of ending by it, until the training has saved and hands it on.

    A signal that was ignored before stays ignored. A second Ctrl-C ends at once. Only the main thread can heed any.
    """

    def __init__(self) -> None:
        self.told = 0
        """The signal that waits to be heeded; 0 while there is none."""
        self.before: dict[int, Callable[[int, FrameType | None], Any] | int] = {}
        """What heeded each signal before."""

    def look(self) -> None:
        """Note who heeds the signals now, before anybody who has to do with the training does."""
        self.told = 0
        found = {signum: signal.getsignal(signum) for signum in HEEDED}
        self.before = {signum: who for signum, who in found.items() if who not in (signal.SIG_IGN, None)}
        if threading.current_thread() is not threading.main_thread():
            self.before.clear()

    def take(self) -> None:
        """Heed the signals in place of whoever does."""
        for signum in self.before:
            signal.signal(signum, self._remember)

    def give_back(self) -> None:
        """Let those heed the signals who did before."""
        for signum, who in self.before.items():
            signal.signal(signum, who)

    def hand_on(self, signum: int, *, code: int) -> None:
        """Let whoever heeded a signal before do so now; return where they let the training go on.

        Args:
            signum: The signal.
            code: To end with where nobody did, so that the system would have ended the process.

        Raises:
            SystemExit: by the one who heeds it, or as nobody does.
            KeyboardInterrupt: for Ctrl-C, as Python does.
        """
        self.told = 0
        who = self.before.get(signum, signal.SIG_IGN)
        if who == signal.SIG_DFL:
            raise SystemExit(code)
        signal.signal(signum, who)
        signal.raise_signal(signum)
        if signum in self.before:
            signal.signal(signum, self._remember)

    def _remember(self, signum: int, frame: FrameType | None) -> None:
        if signum == self.told == signal.SIGINT:
            signal.default_int_handler(signum, frame)
        if signum == signal.SIGINT and os.environ.get("LOCAL_RANK", "0") == "0":
            # print may be what was interrupted
            os.write(2, b"\nbabelscope: saving at the end of this step, then ending; Ctrl-C again ends at once\n")
        self.told = signum


@contextmanager
def told_to_end(trainer: pl.Trainer, last: Path) -> Iterator[None]:
    """End by a signal as other commands do: Lightning makes a failure of Ctrl-C, and of SIGTERM an end like any other.

    Args:
        trainer: Of what runs inside.
        last: The checkpoint that the same command goes on from, where there is one.

    Raises:
        KeyboardInterrupt: for Ctrl-C.
        SystemExit: for SIGTERM where no callback saves: in the first process with 128 + its number, as it also says.
    """
    try:
        yield
    except SIGTERMException:
        if not trainer.is_global_zero:
            raise  # with 0, as after a checkpoint
        then = f"goes on from {last}" if last.exists() else f"begins anew, for there is no {last}"
        print(f"\nbabelscope: told to end by SIGTERM; the same command {then}", file=sys.stderr, flush=True)
        raise SystemExit(128 + signal.SIGTERM) from None
    except SystemExit as end:
        if isinstance(end.__context__, KeyboardInterrupt):
            signal.signal(signal.SIGINT, signal.default_int_handler)
            raise KeyboardInterrupt from None
        raise

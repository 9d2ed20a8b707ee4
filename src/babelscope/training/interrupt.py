"""Signals that ask a training to end: held back until all is saved, then delivered to the handlers of before."""

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

from babelscope.files import leave_terminal

HANDLED = (signal.SIGINT, signal.SIGUSR2, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C; what submitit sends before a time limit or a preemption; what docker, spot machines and scancel send; what a
terminal sends as it closes, which counts as SIGTERM."""


class Interrupts:
    """Hold a signal back instead of ending by it, until the training has saved and delivers it.

    A signal that was ignored before stays ignored. A second Ctrl-C ends at once. Python lets only the main thread
    handle signals; in another one nothing is held back.
    """

    def __init__(self) -> None:
        self.pending = 0
        """The signal that waits to be delivered; 0 while there is none."""
        self.before: dict[int, Callable[[int, FrameType | None], Any] | int] = {}
        """The handler of each signal before this one."""

    def remember_handlers(self) -> None:
        """Remember the current signal handlers, before Lightning or this callback replaces them."""
        self.pending = 0
        current = {signum: signal.getsignal(signum) for signum in HANDLED}
        self.before = {signum: handler for signum, handler in current.items() if handler not in (signal.SIG_IGN, None)}
        if threading.current_thread() is not threading.main_thread():
            self.before.clear()

    def install(self) -> None:
        """Hold signals back from now on."""
        for signum in self.before:
            signal.signal(signum, self._hold_back)

    def restore(self) -> None:
        """Put the remembered handlers back."""
        for signum, handler in self.before.items():
            signal.signal(signum, handler)

    def deliver(self, signum: int, *, code: int) -> None:
        """Let the handler of before have a signal now; return if it lets the training go on.

        Args:
            signum: The signal.
            code: To exit with where there was no handler, so that the system would have ended the process.

        Raises:
            SystemExit: by the handler, or because there was none.
            KeyboardInterrupt: for Ctrl-C, as Python does.
        """
        self.pending = 0
        handler = self.before.get(signum, signal.SIG_IGN)
        if handler == signal.SIG_DFL:
            raise SystemExit(code)
        signal.signal(signum, handler)
        signal.raise_signal(signum)
        if signum in self.before:
            signal.signal(signum, self._hold_back)

    def _hold_back(self, signum: int, frame: FrameType | None) -> None:
        if signum == signal.SIGHUP:
            leave_terminal()
            signum = signal.SIGTERM
        if signum == self.pending == signal.SIGINT:
            signal.default_int_handler(signum, frame)
        if signum == signal.SIGINT and os.environ.get("LOCAL_RANK", "0") == "0":
            # print may be what was interrupted
            os.write(2, b"\nbabelscope: saving at the end of this step, then ending; Ctrl-C again ends at once\n")
        self.pending = signum


@contextmanager
def exit_by_signal(trainer: pl.Trainer, last: Path) -> Iterator[None]:
    """Exit by a signal as other commands do; Lightning turns Ctrl-C into a failure, and SIGTERM into a normal end.

    Args:
        trainer: Of what runs inside.
        last: The checkpoint that the same command goes on from, where there is one.

    Raises:
        KeyboardInterrupt: for Ctrl-C.
        SystemExit: for SIGTERM where no callback saves: in the first process with 128 + its number, and a message.
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

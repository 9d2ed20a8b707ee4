"""Commands in separate processes, a bounded number at once, so that none sees what another left behind."""

import atexit
import multiprocessing
import os
import runpy
import signal
import sys
import threading
import weakref
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from babelscope.files import leave_terminal
from babelscope.sweeps.ledger import now

GRACE = 60.0
"""Seconds in which a job can save after the command that started it is gone."""
NAME, LOG, FULL_ERROR = "BABELSCOPE_JOB", "BABELSCOPE_LOG", "BABELSCOPE_FULL_ERROR"
"""Variables by which a process knows that it is a job of a sweep: its name, where its output goes, and whether the user
wants tracebacks."""

LATER = {"train": ["wandb"]}
"""What a verb imports only once it runs, and its jobs would each import anew; the server does it for all."""
BEGINS = "──── "
"""Begins the line before what each attempt at a job prints to its log."""


@dataclass(frozen=True)
class Command:
    """One `babelscope` command."""

    arguments: Sequence[str]
    name: str
    """What tells it from the others."""
    log: Path | None = None
    """File that receives what it prints; None: the terminal."""
    place: Path | None = None
    """The folder to give it in; None: this one."""


def run_commands(commands: Iterable[Command], *, n_jobs: int) -> Iterator[tuple[Command, int]]:
    """Run each command in a process of its own; gives its exit code as it ends, negative for the signal that ended it.

    The processes are forked from one that has imported the verb already, so that they begin at once. When this one is
    interrupted, they are told to end, and waited for; when it is killed, they notice, save and end.

    Args:
        commands: Taken one by one, as processes become free.
        n_jobs: How many processes at once.
    """
    context = _context()
    running: dict[BaseProcess, Command] = {}
    waiting = iter(commands)
    try:
        while True:
            for command in islice(waiting, n_jobs - len(running)):
                verb = command.arguments[0]
                context.set_forkserver_preload([f"babelscope.verbs.{verb}", *LATER.get(verb, ())])
                process = context.Process(target=_run, args=[command, n_jobs, dict(os.environ)])
                process.start()
                running[process] = command
            if not running:
                return
            wait([process.sentinel for process in running])
            for process in [process for process in running if process.exitcode is not None]:
                yield running.pop(process), process.exitcode or 0
    except BaseException:
        _end(running)
        raise


def _context() -> Any:
    """Fork from a server that has no threads and no devices open; where a system cannot, spawn."""
    methods = multiprocessing.get_all_start_methods()
    return multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")


def _end(processes: Collection[BaseProcess], how: signal.Signals = signal.SIGINT) -> None:
    """Tell processes to end and wait until they have; a second interrupt kills them."""
    for process in processes:
        if process.pid is not None and process.is_alive():
            os.kill(process.pid, how)
    try:
        for process in processes:
            process.join()
    except KeyboardInterrupt:
        _end(processes, signal.SIGKILL)


def _run(command: Command, n_jobs: int, environment: dict[str, str]) -> None:
    """Be the command."""
    _leave_exit_to_server()
    os.environ.clear()  # it is that of the server's beginning
    os.environ.update(environment)
    if hasattr(os, "setpgid"):
        os.setpgid(0, 0)  # Ctrl-C reaches the command of the sweep alone, which hands it on once
    signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ[NAME] = command.name
    if command.log is not None:
        os.environ[LOG] = str(command.log)
        _print_to(command.log)
    if n_jobs > 1 and "OMP_NUM_THREADS" not in os.environ:
        _share_cores(n_jobs)
    if command.place is not None:
        os.chdir(command.place)
    sys.argv = ["babelscope", *command.arguments]
    try:
        runpy.run_module("babelscope", run_name="__main__", alter_sys=True)
    finally:
        atexit._run_exitfuncs()  # of this job: multiprocessing leaves them out before Python 3.14, and wandb wants them


def _leave_exit_to_server() -> None:
    """Forget what the server's imports want at its exit, such as wandb to remove a folder that all jobs share."""
    atexit._clear()
    for inherited in list(weakref.finalize._registry):  # type: ignore[attr-defined]
        inherited.atexit = False
    weakref.finalize._registered_with_atexit = False  # type: ignore[attr-defined]  # or this job's own would never run


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    leave_terminal()  # which may have gone with it
    os.kill(os.getpid(), signal.SIGTERM)  # training saves, and then ends; everything else ends at once
    threading.Event().wait(GRACE)
    os.kill(os.getpid(), signal.SIGKILL)


def _print_to(log: Path) -> None:
    log.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.write(file, f"{BEGINS}{now()}\n".encode())
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
        os.dup2(file, stream.fileno())
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    os.close(file)


def _share_cores(n_jobs: int) -> None:
    import torch

    torch.set_num_threads(max(1, (os.cpu_count() or 1) // n_jobs))

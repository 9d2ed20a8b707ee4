"""The record of one job: a done one is skipped, one that runs elsewhere is refused, and how it ends is written."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from signal import Signals
from typing import Any

from filelock import FileLock, Timeout
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from babelscope.sweeps.ledger import Entry, forget, lock_of, now, path_of, read_entry, write_entry
from babelscope.sweeps.pool import LOG, NAME
from babelscope.sweeps.processes import Process, is_first_rank
from babelscope.verbs.config.conf import fingerprint
from babelscope.verbs.errors import exit_code, is_users, one_line
from babelscope.verbs.folder.kept import RefusedError, configurations, is_finished, refuse_another

UNRECORDED = ("report", "runs", "sync")
"""Verbs that have no run folder."""
PATIENCE = 0.5
"""Seconds to wait for a lock, which those who only look hold for less."""

logger = logging.getLogger(__name__)
HOW = ("threads", "device", "max_tokens")
"""Keys that change how something is computed, not what: a single command may differ in them from the run in its folder,
a resumed training may not."""


@contextmanager
def recorded(verb: str, cfg: DictConfig, folder: Path) -> Iterator[bool]:
    """Hold the run folder and write down how its job begins and ends; gives whether it is done and to be skipped.

    Recorded are the jobs of a sweep, every `train`, and whatever runs again in a folder that the ledger knows. What the
    folder holds is asked of the folder, for the ledger does not know one that was copied, renamed or moved.

    Raises:
        RefusedError: if another process runs the job, or the folder holds a run of another configuration.
    """
    sweep = HydraConfig.get().mode == RunMode.MULTIRUN or NAME in os.environ
    if verb in UNRECORDED:
        yield False
        return
    if not (sweep or verb == "train" or path_of(folder).is_file()):
        with _held(folder):
            try:
                refuse_another(cfg, folder, HOW)
                yield False
            finally:
                forget(folder)  # which has nothing but the lock
        return
    skips = sweep or verb == "train"  # any other single command is asked for on purpose
    is_skipped = skips and is_done(cfg, folder)
    if is_skipped or not is_first_rank():
        if not is_skipped:
            refuse_another(cfg, folder)
        yield is_skipped
        return
    with _held(folder):
        if skips and is_done(cfg, folder):  # by whoever held the lock until now
            yield True
            return
        before = _read(folder)
        if before is None and path_of(folder).exists():
            logger.warning("%s is damaged or not a job record; it will be overwritten.", path_of(folder))
        refuse_another(cfg, folder)
        entry = _begin(verb, fingerprint(cfg), sweep or (before is not None and before.sweep), before)
        write_entry(folder, entry)
        try:
            yield False
        except BaseException as error:
            write_entry(folder, replace(entry, end=now(), **_how(error)))
            raise
        write_entry(folder, replace(entry, end=now(), state="done", exit=0))


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Hold a run folder against other processes.

    Raises:
        RefusedError: if another one holds it and does not let go.
    """
    lock_of(folder).parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(lock_of(folder))
    try:
        lock.acquire(timeout=PATIENCE)
    except Timeout:
        raise RefusedError(
            f"Expected no other process to run {folder}, but {holder_of(folder)}; wait for it or stop it, then repeat "
            "the command."
        ) from None
    try:
        yield
    finally:
        lock.release()


def is_done(cfg: DictConfig, folder: Path) -> bool:
    """Whether ledger or manifest say that this configuration is done, and the folder was not deleted since."""
    entry = _read(folder) if path_of(folder).is_file() else None
    told = entry is not None and (entry.state, entry.config) == ("done", fingerprint(cfg))
    return (told and bool(configurations(folder))) or is_finished(cfg, folder)


def holder_of(folder: Path) -> str:
    """Say which process runs the job of a folder, and since when."""
    entry = _read(folder)
    if entry is None:
        return "another process runs it"
    since = datetime.fromisoformat(entry.start).astimezone()
    return f"process {entry.pid} on {entry.host} has run it since {since:%H:%M:%S}"


def forget_single(folder: Path) -> None:
    """Remove the record of a single command that failed before it wrote anything: its user has seen why."""
    entry = _read(folder)
    if not path_of(folder).exists() if entry is None else not entry.sweep:
        forget(folder)


def own_sources() -> list[str]:
    """Name the folders of the user's own YAML files."""
    sources = HydraConfig.get().runtime.config_sources
    return [source.path for source in sources if source.provider == "command-line"]


def _begin(verb: str, config: str, sweep: bool, before: Entry | None) -> Entry:
    settings = HydraConfig.get()
    return Entry(
        verb=verb,
        overrides=list(settings.overrides.task),
        config=config,
        state="running",
        slurm=os.environ.get("SLURM_JOB_ID"),
        log=os.environ.get(LOG),
        folder=settings.runtime.cwd,
        config_dir=next(iter(own_sources()), None),
        sweep=sweep,
        attempts=1 if before is None else before.attempts + 1,
        **asdict(Process.own()),
    )


def _how(error: BaseException) -> dict[str, Any]:
    """Describe the end of a job that did not finish, as fields of its entry."""
    code = exit_code(error)
    if isinstance(error, KeyboardInterrupt):
        return {"state": "interrupted", "exit": code, "error": "interrupted"}
    if isinstance(error, SystemExit):  # of a training that is told to end, and saves before it does
        by = Signals(code - 128).name if code - 128 in set(Signals) else f"exit code {code}"
        return {"state": "interrupted", "exit": code, "error": f"told to end by {by}"}
    line = one_line(error) if is_users(error) else " ".join(f"{type(error).__name__}: {error}".split())
    return {"state": "failed", "exit": code, "error": line}


def _read(folder: Path) -> Entry | None:
    try:
        return read_entry(path_of(folder))
    except (FileNotFoundError, ValueError):
        return None

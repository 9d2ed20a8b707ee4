"""The jobs of a sweep before they run: their folders, which of them are done, and which another process runs."""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import FileLock, Timeout
from hydra.core.hydra_config import HydraConfig
from hydra.types import HydraContext
from omegaconf import DictConfig, open_dict

from babelscope.sweeps.ledger import Entry, lock_of
from babelscope.sweeps.pool import Command
from babelscope.sweeps.processes import Process
from babelscope.verbs.config.conf import fingerprint
from babelscope.verbs.folder.kept import RefusedError
from babelscope.verbs.jobs.record import holder_of, is_done, own_sources
from babelscope.verbs.terminal.console import track

OF_SWEEP = ("hydra.mode", "hydra/launcher", "hydra.launcher", "hydra/sweeper", "hydra.sweeper", "hydra.sweep")
"""Overrides that are not for a single job."""
MOST_NAMED = 8
"""Jobs whose names are printed; of more, only how many they are."""
PATIENCE = 10.0
"""Seconds in which jobs whose command was killed can save and end."""


@dataclass(frozen=True)
class PlannedJob:
    """One job of a sweep, before it runs."""

    name: str
    """The overrides that not all jobs of the sweep share, or else the folder's name."""
    overrides: list[str]
    folder: Path
    cfg: DictConfig
    """Its composed configuration, without Hydra's part."""
    is_done: bool


def plan(context: HydraContext, config: DictConfig, job_overrides: Sequence[Sequence[str]]) -> list[PlannedJob]:
    """Find the folder of every job, and whether it is done; jobs that are the same are one.

    Args:
        context: Hydra's, with what composes configurations.
        config: Of the sweep.
        job_overrides: Of each job.

    Raises:
        ValueError: if different jobs have the same folder.
    """
    found: dict[Path, PlannedJob] = {}
    shared = set.intersection(*map(set, job_overrides)) if len(job_overrides) > 1 else set(*job_overrides)
    for given in track(job_overrides, "Planning jobs"):  # a minute for hundreds
        composed = context.config_loader.load_sweep_config(config, list(given))
        HydraConfig.instance().set_config(composed)  # the names of folders are made of the choices in it
        folder = Path(composed.hydra.sweep.dir) / composed.hydra.sweep.subdir
        with open_dict(composed):
            del composed["hydra"]
        name = " ".join(one for one in given if one not in shared) or folder.name
        job = PlannedJob(name, list(given), folder, composed, is_done(composed, folder))
        before = found.setdefault(folder, job)
        if before is not job and fingerprint(before.cfg) != fingerprint(composed):
            raise ValueError(
                f"Expected every job of a sweep to have a folder of its own, but got {folder} for {before.name}, and "
                f"for {name}, too; leave `output` out, or let its name hold what differs, as in "
                f"'output=outputs/${{{name.partition('=')[0]}}}'."
            )
    HydraConfig.instance().set_config(config)
    return list(found.values())


def command_of(job: PlannedJob, config: DictConfig, log: Path | None = None) -> Command:
    """Write the command that a user would give for one job alone.

    Args:
        job: One of `plan`.
        config: Of the sweep.
        log: Where it prints to; None: the terminal.
    """
    of_hydra = [one for one in config.hydra.overrides.hydra if not one.startswith(OF_SWEEP)]
    own = [part for folder in own_sources() for part in ("--config-dir", folder)]
    return Command([config.hydra.job.config_name, *own, *job.overrides, *of_hydra], job.name, log)


def entry_of(job: PlannedJob, config: DictConfig, slurm: str, log: Path) -> Entry:
    """Make the entry of a job that Slurm may end before it begins, so that its command can be rerun.

    Args:
        job: One of `plan`.
        config: Of the sweep.
        slurm: The number of the job in Slurm.
        log: Where it prints to.
    """
    return Entry(
        verb=config.hydra.job.config_name,
        overrides=job.overrides,
        config=fingerprint(job.cfg),
        state="failed",
        slurm=slurm,
        log=str(log),
        folder=config.hydra.runtime.cwd,
        config_dir=next(iter(own_sources()), None),
        sweep=True,
        attempts=0,
        **asdict(Process.own()),
    )


def refuse_held(jobs: Sequence[PlannedJob]) -> None:
    """Wait a little for jobs that another process runs, which may be about to end, and refuse if they do not.

    Raises:
        RefusedError: if another process runs some of them.
    """
    until = time.monotonic() + PATIENCE
    while held := [job for job in jobs if _is_held(job.folder)]:
        if time.monotonic() > until:
            raise RefusedError(
                f"Expected no other process to run the jobs of this sweep, but {len(held)} of {len(jobs)} are held, "
                f"such as {held[0].folder.name}: {holder_of(held[0].folder)}; wait for it or stop it, then repeat the "
                "command."
            )
        time.sleep(0.2)


def _is_held(folder: Path) -> bool:
    if not lock_of(folder).exists():
        return False
    try:
        with FileLock(lock_of(folder), timeout=0):
            return False
    except Timeout:
        return True


def print_skipped(jobs: Sequence[PlannedJob]) -> None:
    """Name the jobs that are done in one line, or the first of them."""
    names = [job.folder.name for job in jobs if job.is_done]
    if names:
        more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
        print(
            f"Done already and skipped, {len(names)} in all: {', '.join(names[:MOST_NAMED])}{more}; delete a folder to "
            "run it again",
            flush=True,
        )

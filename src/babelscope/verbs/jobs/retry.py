"""Jobs of the ledger rerun, by the command of each, if that still belongs to the folder of the job."""

import sys
from collections.abc import Sequence
from contextlib import chdir
from pathlib import Path

from hydra import compose
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from babelscope.sweeps.jobs import Job, read_jobs
from babelscope.sweeps.ledger import Entry, log_of
from babelscope.sweeps.pool import Command, run_commands


def run_again(jobs: Sequence[Job], n_jobs: int) -> list[Job]:
    """Rerun the commands of jobs, each in a separate process; returns the jobs that are not done then.

    Jobs whose command cannot be rerun where it was given, or would run in another folder, are left out and named.

    Raises:
        ValueError: if that is so of all jobs; the first is named.
    """
    asked: dict[str, Job] = {}
    refused: dict[str, ValueError] = {}
    for job in jobs:
        try:
            _refuse_elsewhere(job)
        except ValueError as error:
            refused[str(job.folder)] = error
        else:
            asked[str(job.folder)] = job
    if refused and not asked:
        raise next(iter(refused.values()))
    for reason in refused.values():
        print(f"left out: {reason}", file=sys.stderr, flush=True)
    left = [job for job in jobs if str(job.folder) in refused]
    for command, code in run_commands((_command(job, n_jobs) for job in asked.values()), n_jobs=n_jobs):
        job = asked[command.name]
        now = next((found for found in read_jobs(job.folder) if found.folder == job.folder.absolute()), None)
        state = "not done" if now is None else now.state
        print(f"{state}: {job.folder.name}", flush=True)
        if code != 0 or state != "done":
            left.append(job)
    return left


def _refuse_elsewhere(job: Job) -> None:
    """Refuse a job whose command is unknown, or would write to another folder."""
    entry = job.entry
    if entry is None:
        raise ValueError(
            f"Expected the command of {job.folder.name} to be kept, but got none; give the command of the sweep again."
        )
    if not Path(entry.folder).is_dir():
        raise ValueError(
            f"Expected {entry.folder} to be there, in which the command of {job.folder.name} was given, but it is "
            "not; make it, or give the command of the sweep again where it is now."
        )
    try:
        there = _folder_of(entry)
    except (HydraException, OmegaConfBaseException) as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(
            f"Expected the stored command of {job.folder.name} to give the same configuration, but got: {reason}; "
            "restore the changed YAML files, or rerun the original command."
        ) from error
    if there.resolve() != job.folder.resolve():
        raise ValueError(
            f"Expected the command of {job.folder.name} to run in {job.folder.absolute()}, but as given in "
            f"{entry.folder} it runs in {there}: the folder was moved or copied since, a variable of the "
            "environment is another, or `hydra.*` was set with the command; move it back, or give the command again "
            "with `output` where it is now."
        )


def _folder_of(entry: Entry) -> Path:
    """Compose the command of a job where it was given, and tell the run folder that it has."""
    before = HydraConfig.instance().cfg
    own = [] if entry.config_dir is None else [f"hydra.searchpath=['file://{entry.config_dir}']"]
    try:
        with chdir(entry.folder):
            composed = compose(entry.verb, [*entry.overrides, *own], return_hydra_config=True)
            HydraConfig.instance().set_config(composed)  # the names of folders are made of the choices in it
            return Path(composed.hydra.run.dir)
    finally:
        HydraConfig.instance().cfg = before


def _command(job: Job, n_jobs: int) -> Command:
    entry = job.entry
    assert entry is not None
    own = [] if entry.config_dir is None else ["--config-dir", entry.config_dir]
    log = log_of(job.folder.absolute()) if n_jobs > 1 else None
    return Command([entry.verb, *own, *entry.overrides], str(job.folder), log, Path(entry.folder))

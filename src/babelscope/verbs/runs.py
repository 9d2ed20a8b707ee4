"""`babelscope runs`: how the jobs of sweeps stand, and failed ones once more."""

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from omegaconf import DictConfig
from rich.box import SIMPLE
from rich.console import Group
from rich.live import Live
from rich.table import Table

from babelscope.sweeps.ledger import STATES, Entry, log_of, places, read_entries
from babelscope.sweeps.pool import Command, run_commands
from babelscope.sweeps.progress import progress_of
from babelscope.sweeps.slurm_queue import queued
from babelscope.sweeps.submitted import waiting
from babelscope.verbs.terminal.console import console

AGAIN = ("failed", "interrupted")
QUEUED = "queued"
"""Of jobs that Slurm has not begun."""


@dataclass(frozen=True)
class Job:
    """One line of the table."""

    folder: Path
    state: str
    """As now, queued or unreadable."""
    entry: Entry | None
    error: str
    progress: str = ""


def main(cfg: DictConfig, folder: Path) -> None:
    """Read the ledger, run again what is asked for, and print the table, once or until nothing runs."""
    root = Path(cfg.folder).expanduser()
    if cfg.retry not in (None, "failed"):
        raise ValueError(
            f"Expected `retry` to be failed, which means interrupted ones, too, but got {cfg.retry!r}; write --retry "
            "failed."
        )
    if not isinstance(cfg.every, int | float) or cfg.every <= 0:
        raise ValueError(f"Expected `every` to be a number of seconds, but got {cfg.every!r}; write every=2.")
    wanting = [] if cfg.retry is None else [job for job in read_jobs(root) if job.state in AGAIN]
    left = _run_again(wanting, cfg.n_jobs)
    if cfg.follow:
        _follow(root, cfg.every)
    jobs = read_jobs(root)
    console.print(_picture(jobs))
    again = sum(job.state in AGAIN for job in jobs)
    if left:
        raise ValueError(
            f"Expected every job that ran again to come to its end, but got {len(left)} of {len(wanting)} that did "
            "not; the table says why, and HYDRA_FULL_ERROR=1 shows where."
        )
    if again:
        print(f"To run {again} of them again: babelscope runs {cfg.folder} --retry failed")


def read_jobs(root: Path) -> list[Job]:
    """Read every job at or below a folder; an entry that cannot be read is a job like others, and its error says so.

    Raises:
        ValueError: there is none.
    """
    found = []
    queue = queued()
    waits = waiting(places(root), queue or {})
    for folder, entry in read_entries(root):
        if isinstance(entry, str):
            found.append(Job(folder, "unreadable", None, entry))
            continue
        state = entry.state_now(queue)
        if folder in waits and state in AGAIN:  # and was submitted once more
            state = QUEUED
        found.append(Job(folder, state, entry, entry.error, progress_of(folder)))
    known = {job.folder for job in found}
    found += [Job(new, QUEUED, None, f"Slurm job {number}") for new, number in waits.items() if new not in known]
    if not found:
        what = "which has none" if root.is_dir() else "which is not there"
        raise ValueError(
            f"Expected `folder` to hold jobs of sweeps, but got {root}, {what}; give the folder that their run folders "
            "are in, as in: babelscope runs outputs"
        )
    return found


def names_of(jobs: Iterable[Job]) -> dict[Path, str]:
    """Name each job by the overrides that not all of them share, or else by its folder."""
    told = {job.folder: [job.entry.verb, *job.entry.overrides] if job.entry else [] for job in jobs}
    known = [set(overrides) for overrides in told.values() if overrides]
    shared = set.intersection(*known) if len(known) > 1 else set()
    return {
        folder: " ".join(part for part in overrides if part not in shared) if overrides and shared else folder.name
        for folder, overrides in told.items()
    }


def _picture(jobs: list[Job]) -> Group:
    names, logs = names_of(jobs), any(job.entry and job.entry.log for job in jobs)
    table = Table("state", "job", box=SIMPLE)
    table.add_column("progress", justify="right")
    table.add_column("time", justify="right", no_wrap=True)
    for name in ("error", *(["log"] if logs else [])):
        table.add_column(name, overflow="fold")
    for job in sorted(jobs, key=lambda job: (job.state == "done", job.folder)):
        entry = job.entry
        cells = [job.state, names[job.folder] or job.folder.name, job.progress, _time(job), job.error]
        table.add_row(*cells, *([(entry and entry.log) or ""] if logs else []))
    counts = Counter(job.state for job in jobs)
    told = ", ".join(f"{counts[state]} {state}" for state in (*STATES, QUEUED, "unreadable") if counts[state])
    return Group(table, f"{len(jobs)} job{'s' if len(jobs) > 1 else ''}: {told}")


def _time(job: Job) -> str:
    """How long a job took; one that was killed left no time of its end."""
    if job.entry is None or (job.entry.end is None and job.state != "running"):
        return ""
    minutes, seconds = divmod(round(job.entry.seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def _follow(root: Path, every: float) -> None:
    """Show the table anew, where a person watches, until nothing runs."""
    with Live(console=console, auto_refresh=False, transient=True) as live:
        jobs = read_jobs(root)
        while any(job.state in ("running", QUEUED) for job in jobs):
            if console.is_terminal:
                live.update(_picture(jobs), refresh=True)
            time.sleep(every)
            jobs = read_jobs(root)


def _run_again(jobs: Sequence[Job], n_jobs: int) -> list[Job]:
    """Give the commands of jobs again, each in a process of its own; returns those that are not done then."""
    asked: dict[str, Job] = {}
    for job in jobs:
        entry = job.entry
        assert entry is not None
        if not Path(entry.folder).is_dir():
            raise ValueError(
                f"Expected {entry.folder} to be there, in which the command of {job.folder.name} was given, but it is "
                "not; make it, or give the command of the sweep again where it is now."
            )
        asked[str(job.folder)] = job
    left = []
    for command, code in run_commands((_command(job, n_jobs) for job in asked.values()), n_jobs=n_jobs):
        job = asked[command.name]
        now = next((found for found in read_jobs(job.folder) if found.folder == job.folder.absolute()), None)
        state = "not done" if now is None else now.state
        print(f"{state}: {job.folder.name}", flush=True)
        if now is not None and now.entry == job.entry:
            print(
                f"Its entry in the ledger is as before, so it ran in another folder than {job.folder}: a variable of "
                "the environment may have changed since."
            )
        if code != 0 or state != "done":
            left.append(job)
    return left


def _command(job: Job, n_jobs: int) -> Command:
    entry = job.entry
    assert entry is not None
    own = [] if entry.config_dir is None else ["--config-dir", entry.config_dir]
    log = log_of(job.folder.absolute()) if n_jobs > 1 else None
    return Command([entry.verb, *own, *entry.overrides], str(job.folder), log, Path(entry.folder))

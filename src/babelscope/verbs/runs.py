"""`babelscope runs`: the status of sweep jobs, and reruns of those that failed."""

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from omegaconf import DictConfig
from rich.box import SIMPLE
from rich.console import Group
from rich.live import Live
from rich.table import Table

from babelscope.report.runs import counted
from babelscope.sweeps.jobs import GONE, QUEUED, RETRIED, STATES, Job, read_jobs
from babelscope.sweeps.progress import progress_of
from babelscope.verbs.config.values import Value, check_values, integer, is_finite, switch, text
from babelscope.verbs.errors import what_is
from babelscope.verbs.jobs.retry import run_again
from babelscope.verbs.terminal.console import console

VALUES = (
    text("folder", "a folder of jobs", "outputs"),
    integer("n_jobs", 1, "1"),
    switch("follow", "true"),
    Value("every", "a number of seconds above 0", lambda value: is_finite(value) and value > 0, "write every=2"),
)


def main(cfg: DictConfig, folder: Path) -> None:
    """Read the ledger, rerun what is asked for, and print the table, once or until nothing runs."""
    check_values(cfg, VALUES)
    root = Path(cfg.folder).expanduser()
    if cfg.retry not in (None, "failed"):
        raise ValueError(
            f"Expected `retry` to be failed, which means interrupted ones, too, but got {cfg.retry!r}; write --retry "
            "failed."
        )
    wanting = [] if cfg.retry is None else [job for job in _jobs_of(root) if job.state in RETRIED]
    left = run_again(wanting, cfg.n_jobs)
    if cfg.follow:
        _follow(root, cfg.every)
    jobs = _jobs_of(root)
    console.print(_picture(jobs))
    again = sum(job.state in RETRIED for job in jobs)
    if left:
        raise ValueError(
            f"Expected every retried job to finish, but {len(left)} of {len(wanting)} did not; the table says why, and "
            "HYDRA_FULL_ERROR=1 shows where."
        )
    if again:
        print(f"To run {again} of them again: babelscope runs {cfg.folder} --retry failed{_here(jobs)}")


def _here(jobs: Iterable[Job]) -> str:
    """Say where jobs of Slurm would be run again."""
    sent = any(job.state in RETRIED and job.entry and job.entry.slurm for job in jobs)
    return " runs them on this machine; the command of the sweep submits them to Slurm again" if sent else ""


def _jobs_of(root: Path) -> list[Job]:
    """Read the jobs at or below a folder.

    Raises:
        ValueError: if there is none.
    """
    jobs = read_jobs(root)
    if not jobs:
        raise ValueError(
            f"Expected `folder` to hold jobs of sweeps, but got {root}, {what_is(root)}; give the folder that their "
            "run folders are in, as in: babelscope runs outputs"
        )
    return jobs


def names_of(jobs: Iterable[Job]) -> dict[Path, str]:
    """Name each job by the overrides that not all jobs of its verb share, or else by its folder."""
    told = {job.folder: (job.entry.verb, job.entry.overrides) if job.entry else ("", []) for job in jobs}
    given: dict[str, list[set[str]]] = {}
    for verb, overrides in told.values():
        if verb:
            given.setdefault(verb, []).append(set(overrides))
    shared = {verb: set.intersection(*sets) for verb, sets in given.items() if len(sets) > 1}

    def name(folder: Path, verb: str, overrides: Sequence[str]) -> str:
        own = [part for part in overrides if part not in shared.get(verb, overrides)]
        return " ".join([verb, *own] if own and len(given) > 1 else own) or folder.name

    return {folder: name(folder, *command) for folder, command in told.items()}


def _picture(jobs: list[Job]) -> Group:
    names, logs = names_of(jobs), any(job.entry and job.entry.log for job in jobs)
    table = Table("state", box=SIMPLE)
    table.add_column("job", overflow="fold")
    table.add_column("progress", justify="right")
    table.add_column("time", justify="right", no_wrap=True)
    for name in ("error", *(["log"] if logs else [])):
        table.add_column(name, overflow="fold")
    for job in sorted(jobs, key=lambda job: (job.state == "done", job.folder)):
        entry = job.entry
        progress = "" if job.state == GONE else progress_of(job.folder)
        cells = [job.state, names[job.folder] or job.folder.name, progress, _time(job), job.error]
        table.add_row(*cells, *([(entry and entry.log) or ""] if logs else []))
    counts = Counter(job.state for job in jobs)
    told = ", ".join(f"{counts[state]} {state}" for state in STATES if counts[state])
    return Group(table, f"{counted(len(jobs), 'job')}: {told}")


def _time(job: Job) -> str:
    """How long a job took; one that was killed left no time of its end."""
    if job.entry is None or (job.entry.end is None and job.state != "running"):
        return ""
    minutes, seconds = divmod(round(job.entry.seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def _follow(root: Path, every: float) -> None:
    """Refresh the table until nothing runs; elsewhere than on a terminal only wait."""
    with Live(console=console, auto_refresh=False, transient=True) as live:
        jobs = _jobs_of(root)
        while any(job.state in ("running", QUEUED) for job in jobs):
            if console.is_terminal:
                live.update(_picture(jobs), refresh=True)
            time.sleep(every)
            jobs = _jobs_of(root)

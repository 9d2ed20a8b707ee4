"""`babelscope runs`: the status of sweep jobs, and reruns of those that failed."""

import time
from collections.abc import Iterable
from pathlib import Path

from omegaconf import DictConfig
from rich.live import Live

from babelscope.sweeps.jobs import QUEUED, RETRIED, Job, read_jobs
from babelscope.verbs.config.values import Value, check_values, integer, is_finite, switch, text
from babelscope.verbs.errors import what_is
from babelscope.verbs.jobs.retry import run_again
from babelscope.verbs.terminal.console import console
from babelscope.verbs.terminal.jobs import followed, picture

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
    console.print(picture(jobs))
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


def _follow(root: Path, every: float) -> None:
    """Refresh the table until nothing runs; elsewhere than on a terminal only wait."""
    with Live(console=console, auto_refresh=False, transient=True) as live:
        jobs = _jobs_of(root)
        while any(job.state in ("running", QUEUED) for job in jobs):
            if console.is_terminal:
                live.update(followed(jobs, console), refresh=True)
            time.sleep(every)
            jobs = _jobs_of(root)

"""Sweeps on this machine: every job in a process of its own, a bounded number of them at once."""

from collections.abc import Sequence

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig
from rich.progress import Progress

from babelscope.sweeps.ledger import log_of
from babelscope.sweeps.pool import run_commands
from babelscope.verbs.config.values import integer
from babelscope.verbs.launchers.ends import INTERRUPTED, JobResult, exit_if_failed, print_end, result_of
from babelscope.verbs.launchers.planned import command_of, plan, print_skipped, refuse_held
from babelscope.verbs.terminal.console import console


class Workers(Launcher):
    """Run each job of a sweep by the command that a user would give for it alone.

    Args:
        n_jobs: How many at once. One alone prints to the terminal; several print to RUNS/.jobs/NAME.log each.
    """

    config: DictConfig
    context: HydraContext

    def __init__(self, *, n_jobs: int):
        integer("hydra.launcher.n_jobs", 1, "2").check(n_jobs)
        self.n_jobs = n_jobs

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keep what composes the jobs' configurations."""
        self.context, self.config = hydra_context, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run all jobs that are not done, and name every one that failed.

        Raises:
            SystemExit: if a job failed: with 2 if the user can mend all that did, else with 1.
        """
        jobs = plan(self.context, self.config, job_overrides)
        print_skipped(jobs)
        left = [job for job in jobs if not job.is_done]
        refuse_held(left)
        named = {job.name: job for job in left}
        commands = (command_of(job, self.config, log_of(job.folder) if self.n_jobs > 1 else None) for job in left)
        results: list[JobResult] = []
        shown = self.n_jobs > 1 and console.is_terminal
        with Progress(console=console, transient=True, disable=not shown) as progress:
            bar = progress.add_task("Jobs", total=len(left))
            for command, code in run_commands(commands, n_jobs=self.n_jobs):
                results.append(result_of(named[command.name], code))
                progress.advance(bar)
                if command.log is not None or code < 0 or code == INTERRUPTED:
                    print_end(results[-1], len(results), len(left))
        exit_if_failed(results)
        return []

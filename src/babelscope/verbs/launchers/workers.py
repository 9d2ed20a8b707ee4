"""Sweeps on this machine: every job in a process of its own, a bounded number of them at once."""

from collections.abc import Sequence
from typing import Any

from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn
from hydra.experimental.callback import Callback
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig
from rich.progress import Progress

from babelscope.sweeps.ledger import log_of
from babelscope.sweeps.pool import run_commands
from babelscope.verbs.launchers.ends import INTERRUPTED, End, end_of, tell_end, tell_failed
from babelscope.verbs.launchers.planned import command_of, name_skipped, plan, refuse_held
from babelscope.verbs.terminal.console import console

TARGET = "hydra_plugins.babelscope.Workers"
"""What the YAML calls the launcher: Hydra takes launchers from this package only."""


class UseWorkers(Callback):
    """Make the launcher known to Hydra; named in `conf/base.yaml`."""

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Register before Hydra looks for it."""
        Plugins.instance().class_name_to_class[TARGET] = Workers


class Workers(Launcher):
    """Run each job of a sweep by the command that a user would give for it alone.

    Args:
        n_jobs: How many at once. One alone prints to the terminal; several print to RUNS/.jobs/NAME.log each.
    """

    config: DictConfig
    context: HydraContext

    def __init__(self, *, n_jobs: int):
        if isinstance(n_jobs, bool) or not isinstance(n_jobs, int) or n_jobs < 1:
            raise ValueError(
                f"Expected `hydra.launcher.n_jobs` to be a number of jobs at once, but got {n_jobs!r}; write 1 or more."
            )
        self.n_jobs = n_jobs

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keep what composes the jobs' configurations."""
        self.context, self.config = hydra_context, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run all jobs that are not done, and name every one that failed.

        Raises:
            SystemExit: with 2 if all that failed can be mended by the user, else with 1.
        """
        jobs = plan(self.context, self.config, job_overrides)
        name_skipped(jobs)
        left = [job for job in jobs if not job.is_done]
        refuse_held(left)
        named = {job.name: job for job in left}
        commands = (command_of(job, self.config, log_of(job.folder) if self.n_jobs > 1 else None) for job in left)
        ends: list[End] = []
        shown = self.n_jobs > 1 and console.is_terminal
        with Progress(console=console, transient=True, disable=not shown) as progress:
            bar = progress.add_task("Jobs", total=len(left))
            for command, code in run_commands(commands, n_jobs=self.n_jobs):
                end = end_of(named[command.name], code)
                ends.append(end)
                progress.advance(bar)
                if command.log is not None or code < 0 or code == INTERRUPTED:
                    tell_end(end, len(ends), len(left))
        tell_failed(ends)
        return []

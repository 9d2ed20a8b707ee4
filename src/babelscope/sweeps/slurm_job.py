"""A job of a sweep inside Slurm: the command that a user would give for it alone."""

import os
import runpy
import sys
from dataclasses import dataclass

from submitit import JobEnvironment
from submitit.helpers import DelayedSubmission

from babelscope.sweeps.pool import LOG, NAME, Command
from babelscope.sweeps.slurm_signals import heed_signals


@dataclass(frozen=True)
class SlurmCommand:
    """What submitit calls in each process of a job, and again after it was requeued."""

    command: Command

    def __call__(self) -> None:
        """Be the command: its exit code is the one that Slurm sees."""
        heed_signals()
        os.environ[NAME] = self.command.name
        os.environ[LOG] = str(JobEnvironment().paths.stdout)
        sys.argv = ["babelscope", *self.command.arguments]
        runpy.run_module("babelscope", run_name="__main__", alter_sys=True)

    def checkpoint(self) -> DelayedSubmission:
        """Do the same after a requeue: the run folder knows how far it is."""
        return DelayedSubmission(self)

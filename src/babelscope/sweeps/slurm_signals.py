"""A job inside Slurm: what requeues it when it has to end.

Three could: Slurm by itself, submitit on USR2 and Lightning on USR1. Here Slurm and submitit do. While a model
is trained, `babelscope.training.interrupt` heeds USR2 and TERM first: it saves, and then calls these handlers.

- USR2 comes before the time limit (and, where a cluster says so, before a preemption). submitit requeues the job and
  ends its first process, which ends the others. It counts what comes late in a job as a time-out, `max_num_timeout` of
  which are requeued; others are always.
- TERM comes when a job is cancelled, requeued or preempted. One that Slurm lets run on for the grace time of a
  preemption requeues itself, for many clusters would cancel it then; any other just ends: Slurm has put it back into
  the queue already, or it is not to go on.
- USR1 is ignored: Lightning replaces no handler that is set.
"""

import os
import signal
import subprocess
from types import FrameType

from submitit import JobEnvironment
from submitit.core.utils import UncompletedJobError

from babelscope.sweeps import slurm_queue

REQUEUED = "Requeued before: going on from the last checkpoint"


def heed_signals() -> None:
    """Set the handlers, after submitit's own."""
    by_submitit = signal.getsignal(signal.SIGUSR2)

    def requeue(number: int, frame: FrameType | None) -> None:
        assert callable(by_submitit)
        try:
            by_submitit(number, frame)
        except (UncompletedJobError, subprocess.SubprocessError) as error:
            raise ChildProcessError(
                f"Expected Slurm to put the job back into the queue before its time limit, but got: {error} Raise "
                "hydra.launcher.timeout_min or max_num_timeout, and run the same command again to go on."
            ) from error

    signal.signal(signal.SIGUSR2, requeue)
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    if "SLURM_RESTART_COUNT" in os.environ:
        print(REQUEUED, flush=True)


def _leave(number: int, frame: FrameType | None) -> None:
    if os.environ["SLURM_PROCID"] != "0":
        return  # the first process decides for all, and ends the others with it
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    job = JobEnvironment().job_id  # 12_3: in an array, SLURM_JOB_ID may mean all of it
    if slurm_queue.is_preempted(job):
        slurm_queue.requeue(job)
    raise SystemExit(128 + number)

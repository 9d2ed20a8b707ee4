"""How the jobs of a sweep ended, and what is printed of it."""

import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from babelscope.sweeps.complaints import PREFIX, last_complaint
from babelscope.sweeps.ledger import log_of
from babelscope.sweeps.pool import BEGINS
from babelscope.verbs.launchers.planned import PlannedJob

INTERRUPTED = 130
"""Exit code of a job that was interrupted while the sweep was not."""


@dataclass(frozen=True)
class JobResult:
    """How one job of a sweep ended."""

    job: PlannedJob
    code: int
    """Its exit code: 0 done, 2 for what a user can mend, negative for the signal that ended it."""
    line: str
    """What went wrong, and what to do."""

    @property
    def is_users(self) -> bool:
        """Whether a user can mend it; one that was killed or interrupted is run again by the same command."""
        return self.code in (2, INTERRUPTED) or self.code < 0


def result_of(job: PlannedJob, code: int) -> JobResult:
    """Read in its log how a job ended, or tell by its exit code if it could not say."""
    if code == 0:
        return JobResult(job, 0, "")
    if code == INTERRUPTED:
        return JobResult(job, code, "interrupted; repeat the command, which goes on from its last checkpoint.")
    if code < 0:
        name = signal.Signals(-code).name
        often = ", often for want of memory" if -code == signal.SIGKILL else ""
        return JobResult(
            job, code, f"killed by {name}{often}; repeat the command, which goes on from its last checkpoint."
        )
    log = log_of(job.folder)
    text = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""
    of_this_attempt = text.rpartition(f"\n{BEGINS}")[2]
    line = last_complaint(of_this_attempt, job.name) or f"exit code {code}"
    return JobResult(job, code, line if code == 2 else f"{line}: {log}")


def print_end(result: JobResult, n: int, of: int) -> None:
    """Print one line as a job ends; failures go to stderr."""
    if result.code == 0:
        print(f"{n}/{of} done: {result.job.folder.name}", flush=True)
    else:
        print(f"{PREFIX}[{result.job.name}] {result.line}", file=sys.stderr, flush=True)


def exit_if_failed(results: Sequence[JobResult]) -> None:
    """Say how many jobs failed, where there were several, and end the command.

    Raises:
        SystemExit: if any failed: with 2 if the user can mend all that did, else with 1.
    """
    failed = [result for result in results if result.code != 0]
    if not failed:
        return
    if len(results) > 1:
        print(
            f"{PREFIX}{len(failed)} of {len(results)} jobs failed (see above); fix the cause and repeat the "
            "command, which reruns only these",
            file=sys.stderr,
            flush=True,
        )
    raise SystemExit(2 if all(result.is_users for result in failed) else 1)

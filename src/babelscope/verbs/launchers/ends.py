"""What a sweep says of its jobs as they end."""

import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from babelscope.sweeps.ledger import log_of
from babelscope.sweeps.pool import BEGINS
from babelscope.verbs.launchers.planned import Planned

INTERRUPTED = 130
"""Exit code of a job that was interrupted, and the sweep was not."""


@dataclass(frozen=True)
class End:
    """How one job ended."""

    job: Planned
    code: int
    """Its exit code: 0 done, 2 for what a user can mend, negative for the signal that ended it."""
    line: str
    """What went wrong, and what to do."""

    @property
    def is_users(self) -> bool:
        """Whether a user can mend it; one that was killed or interrupted is run again by the same command."""
        return self.code in (2, INTERRUPTED) or self.code < 0


def end_of(job: Planned, code: int) -> End:
    """Read in its log how a job ended, or tell by its exit code if it could not say."""
    if code == 0:
        return End(job, 0, "")
    if code == INTERRUPTED:
        return End(job, code, "interrupted; repeat the command, which goes on from its last checkpoint.")
    if code < 0:
        name = signal.Signals(-code).name
        often = ", often for want of memory" if -code == signal.SIGKILL else ""
        return End(job, code, f"killed by {name}{often}; repeat the command, which goes on from its last checkpoint.")
    log = log_of(job.folder)
    text = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""
    lines = text.rpartition(f"\n{BEGINS}")[2].splitlines()  # of this attempt
    told = [line for line in lines if line.startswith("babelscope: ")]
    line = told[-1].removeprefix("babelscope: ").removeprefix(f"[{job.name}] ") if told else f"exit code {code}"
    return End(job, code, line if code == 2 else f"{line}: {log}")


def tell_end(end: End, n: int, of: int) -> None:
    """Print one line as a job ends; failures go to stderr."""
    if end.code == 0:
        print(f"{n}/{of} done: {end.job.folder.name}", flush=True)
    else:
        print(f"babelscope: [{end.job.name}] {end.line}", file=sys.stderr, flush=True)


def tell_failed(ends: Sequence[End]) -> None:
    """Say how many jobs failed, where there are several.

    Raises:
        SystemExit: if any did: with 2 if the user can mend all of that, else with 1.
    """
    failed = [end for end in ends if end.code != 0]
    if not failed:
        return
    if len(ends) > 1:
        print(
            f"babelscope: {len(failed)} of {len(ends)} jobs did not come to their end; when what is said above is "
            "mended, the same command runs these again, and no others",
            file=sys.stderr,
            flush=True,
        )
    raise SystemExit(2 if all(end.is_users for end in failed) else 1)

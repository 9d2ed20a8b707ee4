"""The jobs of sweeps as they stand now: what the ledger, the files of submissions and Slurm's queue say of each."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from babelscope.sweeps.ledger import Entry, is_gone, read_entries
from babelscope.sweeps.slurm_queue import queued
from babelscope.sweeps.submitted import Submission, submissions

QUEUED = "queued"
"""State of a job that Slurm has not begun."""
GONE = "gone"
"""State of a job that is done, and whose result was removed."""
UNREADABLE = "unreadable"
"""State of a job whose entry, or whose run folder, cannot be read."""
RETRIED = ("failed", "interrupted")
"""States of jobs that are run again; not gone ones, for who deletes a result may not want it any more."""
STATES = ("done", "running", *RETRIED, GONE, QUEUED, UNREADABLE)
"""In the order in which users read them."""


@dataclass(frozen=True)
class Job:
    """One job of a sweep."""

    folder: Path
    state: str
    """One of STATES."""
    entry: Entry | None = None
    """As in the ledger, or as it was submitted; None where nothing was kept."""
    error: str = ""

    @property
    def overrides(self) -> tuple[str, ...]:
        """The overrides of its command."""
        return () if self.entry is None else tuple(self.entry.overrides)

    @property
    def log(self) -> Path | None:
        """The file that it printed to, where there is one."""
        return None if self.entry is None or self.entry.log is None else Path(self.entry.folder, self.entry.log)


def read_jobs(root: Path) -> list[Job]:
    """Read every job at or below a folder; an entry that cannot be read is a job like others, and its error says why.

    Empty where there is no ledger, as for runs that were no jobs of a sweep.
    """
    # in this order: a job that is submitted, begins or ends meanwhile is not taken for a lost one
    sent = submissions(root)
    queue = queued()
    found = [_recorded(folder, entry, sent.get(folder), queue) for folder, entry in read_entries(root)]
    known = {job.folder for job in found}
    return [*found, *_without_entry({folder: one for folder, one in sent.items() if folder not in known}, queue)]


def _recorded(folder: Path, entry: Entry | str, sent: Submission | None, queue: Mapping[str, str] | None) -> Job:
    """Describe a job that the ledger knows."""
    if isinstance(entry, str):
        return Job(folder, UNREADABLE, None, entry)
    state = entry.state_now(queue)
    if state == "done" and is_gone(folder):
        what = "run.yaml" if folder.is_dir() else "folder"
        return Job(folder, GONE, entry, f"its {what} is no longer there; the command of the sweep runs it again")
    if state in RETRIED and sent is not None:  # and was submitted once more
        if sent.waits(queue or {}):
            return Job(folder, QUEUED, entry, entry.error)
        if sent.is_over(queue) and not sent.began(folder):
            return Job(folder, "failed", sent.entry or entry, sent.never_began())
    return Job(folder, state, entry, entry.error)


def _without_entry(sent: Mapping[Path, Submission], queue: Mapping[str, str] | None) -> Iterator[Job]:
    """Describe jobs that were submitted to Slurm and have written nothing yet."""
    for folder, one in sent.items():
        began = one.began(folder)
        if one.is_over(queue) and not began:
            yield Job(folder, "failed", one.entry, one.never_began())
        elif one.waits(queue or {}) or (queue is not None and not began):
            yield Job(folder, QUEUED, one.entry, f"Slurm job {one.job}")

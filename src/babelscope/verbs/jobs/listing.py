"""The jobs of sweeps as they stand now: what the ledger, Slurm's queue and the rows of each tell."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from babelscope.sweeps.ledger import Entry, is_gone, read_entries
from babelscope.sweeps.progress import progress_of
from babelscope.sweeps.slurm_queue import queued
from babelscope.sweeps.submitted import Submission, submissions
from babelscope.verbs.errors import what_is

AGAIN = ("failed", "interrupted")
"""States of jobs that are run again; not gone ones, for who deletes a result may not want it any more."""
QUEUED = "queued"
"""Of jobs that Slurm has not begun."""
GONE = "gone"
"""Of jobs that are done, and whose result was removed."""


@dataclass(frozen=True)
class Job:
    """One line of the table."""

    folder: Path
    state: str
    """As now, gone, queued or unreadable."""
    entry: Entry | None
    error: str
    progress: str = ""


def read_jobs(root: Path) -> list[Job]:
    """Read every job at or below a folder; an entry that cannot be read is a job like others, and its error says so.

    Raises:
        ValueError: there is none.
    """
    # in this order: what is submitted, begins or ends meanwhile is not taken for what is lost
    sent = submissions(root)
    queue = queued()
    found = [_recorded(folder, entry, sent.get(folder), queue) for folder, entry in read_entries(root)]
    known = {job.folder for job in found}
    found += _without_entry({folder: one for folder, one in sent.items() if folder not in known}, queue)
    if not found:
        raise ValueError(
            f"Expected `folder` to hold jobs of sweeps, but got {root}, {what_is(root)}; give the folder that their "
            "run folders are in, as in: babelscope runs outputs"
        )
    return found


def _recorded(folder: Path, entry: Entry | str, sent: Submission | None, queue: Mapping[str, str] | None) -> Job:
    """Tell how a job stands that the ledger knows."""
    if isinstance(entry, str):
        return Job(folder, "unreadable", None, entry)
    state = entry.state_now(queue)
    if state == "done" and is_gone(folder):
        what = "run.yaml" if folder.is_dir() else "folder"
        return Job(folder, GONE, entry, f"its {what} is no longer there; the command of the sweep runs it again")
    if state in AGAIN and sent is not None:  # and was submitted once more
        if sent.waits(queue or {}):
            state = QUEUED
        elif sent.is_over(queue) and not sent.began(folder):
            return Job(folder, "failed", sent.entry or entry, sent.never_began(), progress_of(folder))
    return Job(folder, state, entry, entry.error, progress_of(folder))


def _without_entry(sent: Mapping[Path, Submission], queue: Mapping[str, str] | None) -> Iterator[Job]:
    """Tell how jobs stand that Slurm was given, and that have written nothing."""
    for folder, one in sent.items():
        began = one.began(folder)
        if one.is_over(queue) and not began:
            yield Job(folder, "failed", one.entry, one.never_began())
        elif one.waits(queue or {}) or (queue is not None and not began):
            yield Job(folder, QUEUED, None, f"Slurm job {one.job}")

"""The jobs of sweeps as they stand now: what the ledger, Slurm's queue and the rows of each tell."""

from dataclasses import dataclass
from pathlib import Path

from babelscope.sweeps.ledger import Entry, places, read_entries
from babelscope.sweeps.progress import progress_of
from babelscope.sweeps.slurm_queue import queued
from babelscope.sweeps.submitted import waiting
from babelscope.verbs.errors import what_is

AGAIN = ("failed", "interrupted")
"""States of jobs that can be run again."""
QUEUED = "queued"
"""Of jobs that Slurm has not begun."""


@dataclass(frozen=True)
class Job:
    """One line of the table."""

    folder: Path
    state: str
    """As now, queued or unreadable."""
    entry: Entry | None
    error: str
    progress: str = ""


def read_jobs(root: Path) -> list[Job]:
    """Read every job at or below a folder; an entry that cannot be read is a job like others, and its error says so.

    Raises:
        ValueError: there is none.
    """
    found = []
    queue = queued()
    waits = waiting(places(root), queue or {})
    for folder, entry in read_entries(root):
        if isinstance(entry, str):
            found.append(Job(folder, "unreadable", None, entry))
            continue
        state = entry.state_now(queue)
        if folder in waits and state in AGAIN:  # and was submitted once more
            state = QUEUED
        found.append(Job(folder, state, entry, entry.error, progress_of(folder)))
    known = {job.folder for job in found}
    found += [Job(new, QUEUED, None, f"Slurm job {number}") for new, number in waits.items() if new not in known]
    if not found:
        raise ValueError(
            f"Expected `folder` to hold jobs of sweeps, but got {root}, {what_is(root)}; give the folder that their "
            "run folders are in, as in: babelscope runs outputs"
        )
    return found

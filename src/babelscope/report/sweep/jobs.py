"""Jobs of a sweep that left no finished run: what the ledger and the folders say of them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from babelscope.report.table import Run, read_head
from babelscope.sweeps.ledger import is_gone, read_entries
from babelscope.sweeps.submitted import submissions


@dataclass(frozen=True)
class Job:
    """One job, as its ledger or its folder tells."""

    folder: Path
    state: str
    """One of the ledger's, or unreadable, or gone: done once, and its folder is no longer there."""
    error: str = ""
    log: Path | None = None
    overrides: tuple[str, ...] = ()
    start: str = ""


def read_jobs(root: Path, queue: Mapping[str, str] | None) -> list[Job]:
    """Read the ledger at or below a folder; none where there is no ledger, as for runs that were no jobs of a sweep.

    Args:
        root: the folder that the run folders are in.
        queue: the state of every job in Slurm's queue by its id, if there is one.
    """
    found = []
    for folder, entry in read_entries(root):
        if isinstance(entry, str):
            found.append(Job(folder, "unreadable", entry))
            continue
        state = entry.state_now(queue)
        if state == "done" and is_gone(folder):
            state = "gone"
        log = None if entry.log is None else Path(entry.folder, entry.log)
        found.append(Job(folder, state, entry.error, log, tuple(entry.overrides), entry.start))
    known = {job.folder for job in found}
    for folder, sent in submissions(root).items():
        if folder not in known and sent.is_over(queue) and not sent.began(folder):
            kept = sent.entry
            log = None if kept is None or kept.log is None else Path(kept.log)
            overrides = () if kept is None else tuple(kept.overrides)
            found.append(Job(folder, "failed", sent.never_began(), log, overrides))
    return found


def read_heads(folders: Collection[Path]) -> tuple[list[Run], list[Job]]:
    """Read configuration and manifest of every run folder; those that cannot be read are jobs that say why."""
    heads, unreadable = [], []
    for folder in folders:
        try:
            head = read_head(folder)
        except (ValueError, OSError) as error:
            unreadable.append(Job(folder, "unreadable", str(error)))
        else:
            heads.append(head)
    return heads, unreadable

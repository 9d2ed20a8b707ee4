"""Which job of Slurm was submitted for a run folder, beside its entry in the ledger: it may wait there for days."""

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from babelscope.files import write_text
from babelscope.sweeps.ledger import Entry, folder_of, parse_entry, path_of, places

SETTLES_S = 5.0
"""Seconds after its submission in which a job may be in no queue, and what it wrote not be seen here."""


@dataclass(frozen=True)
class Submission:
    """What is kept of a job that was submitted last for a run folder."""

    job: str
    """As Slurm shows it, 12 or, in an array, 12_3."""
    logs: str
    """As given to submitit, with %j for the number."""
    at: float
    """Seconds since the epoch, by the clock of the files."""
    entry: Entry | None
    """The command, as the ledger would have it of a job that Slurm ended before it began; older files have none."""

    def waits(self, queue: Mapping[str, str]) -> bool:
        """Whether it is in Slurm's queue, begun or not, and not on its way out."""
        return queue.get(self.job, "COMPLETING") != "COMPLETING"

    def is_over(self, queue: Mapping[str, str] | None) -> bool:
        """Whether Slurm is done with it; without a queue nobody knows.

        Args:
            queue: State of every job in the queue, by its number, asked for after this was read.
        """
        return queue is not None and self.job not in queue and time.time() - self.at > SETTLES_S

    def never_began(self) -> str:
        """Say what went wrong with one that is over and did not begin."""
        return f"Slurm ended job {self.job} before it began; see its log"

    def began(self, folder: Path) -> bool:
        """Whether it has written to the ledger, or, where that is gone, to its run folder."""
        entry = path_of(folder)
        return entry.stat().st_mtime >= self.at if entry.is_file() else (folder / "run.yaml").is_file()


def record_submission(folder: Path, job: str, logs: str, entry: Entry | None = None) -> None:
    """Record the number of a job, submitit's folder with its log, and its entry in case it never begins.

    Args:
        folder: Of the run.
        job: As of `Submission`, like the others.
        logs: With %j for the number.
        entry: Of the ledger.
    """
    kept = {"job": job, "logs": str(Path(logs).absolute()), "entry": None if entry is None else asdict(entry)}
    write_text(_place(folder), json.dumps(kept) + "\n")


def read_submission(folder: Path) -> Submission | None:
    """Read what `record_submission` was given last; None where no job was ever submitted.

    Raises:
        ValueError: if the file there was not written by it.
    """
    place = _place(folder)
    if not place.is_file():
        return None
    try:
        kept = json.loads(place.read_text(encoding="utf-8"))
        job, logs, entry = str(kept["job"]), str(kept["logs"]), kept.get("entry")
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"Expected {place} to name a job of Slurm, but got: {error!r}; remove it.") from error
    return Submission(job, logs, place.stat().st_mtime, None if entry is None else parse_entry(entry, place))


def submissions(root: Path) -> dict[Path, Submission]:
    """Read what was submitted for every run folder at or below a folder.

    Raises:
        ValueError: if one of the files was not written by `record_submission`.
    """
    found = (path.with_suffix(".json") for place in places(root) for path in sorted(place.glob("*.slurm")))
    return {folder: one for folder in (*map(folder_of, found), root.absolute()) if (one := read_submission(folder))}


def _place(folder: Path) -> Path:
    return path_of(folder).with_suffix(".slurm")

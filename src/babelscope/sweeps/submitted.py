"""Which job of Slurm was submitted for a run folder, beside its entry in the ledger: it may wait there for days."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from babelscope.report.files import write_text
from babelscope.sweeps.ledger import folder_of, path_of


def keep(folder: Path, job: str, logs: str) -> None:
    """Keep the number of a job, and submitit's folder, in which the log is.

    Args:
        folder: Of the run.
        job: As Slurm shows it, 12 or, in an array, 12_3.
        logs: As given to submitit, with %j for the number.
    """
    write_text(_place(folder), json.dumps({"job": job, "logs": str(Path(logs).absolute())}) + "\n")


def find(folder: Path) -> tuple[str, str] | None:
    """Read what `keep` was given last; None where no job was ever submitted.

    Raises:
        ValueError: if what is there was not kept by it.
    """
    place = _place(folder)
    if not place.is_file():
        return None
    try:
        kept = json.loads(place.read_text(encoding="utf-8"))
        return str(kept["job"]), str(kept["logs"])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"Expected {place} to name a job of Slurm, but got: {error!r}; remove it.") from error


def waiting(places: Iterable[Path], queue: Mapping[str, str]) -> dict[Path, str]:
    """Find the run folders whose job is in Slurm's queue, begun or not, each with the job's number.

    Args:
        places: Folders that hold ledgers.
        queue: State of every job in the queue, by its number.
    """
    folders = (folder_of(path.with_suffix(".json")) for place in places for path in sorted(place.glob("*.slurm")))
    numbers = ((folder, found[0]) for folder in folders if (found := find(folder)))
    return {folder: number for folder, number in numbers if queue.get(number, "COMPLETING") != "COMPLETING"}


def _place(folder: Path) -> Path:
    return path_of(folder).with_suffix(".slurm")

"""The ledger: one small JSON per job, beside the run folders, that says how the job stands."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from os import walk
from pathlib import Path
from typing import Any, get_args

from babelscope.files import write_json
from babelscope.sweeps.processes import Process

PLACE = ".jobs"


def now() -> str:
    """Tell the time as the ledger does."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What the ledger knows of one job; by default, of one that begins now and has not said how it ends."""

    verb: str
    overrides: list[str]
    config: str
    """Hash of all that its numbers depend on."""
    state: str
    """One of running, done, failed and interrupted; see `state_now`."""
    start: str = field(default_factory=now)
    """ISO 8601, in UTC; of the last attempt, when there were several."""
    end: str | None = None
    host: str
    pid: int
    born: str
    """Of the process, as in `Process`."""
    exit: int | None = None
    error: str = ""
    """The one line that the terminal showed."""
    slurm: str | None
    """Job id, where Slurm runs it."""
    log: str | None
    """File with all that it printed, where there is one."""
    folder: str
    """The folder in which the command was given, which relative paths start from."""
    config_dir: str | None
    """A user's own YAML files."""
    sweep: bool
    """Whether it was ever a job of a sweep."""
    attempts: int

    def state_now(self, queue: Mapping[str, str] | None) -> str:
        """Tell `interrupted` from `running`: a process that was killed could not write it down.

        Args:
            queue: what `queued` says.
        """
        if (
            self.state == "interrupted"
            and queue is not None
            and queue.get(self.slurm or "", "COMPLETING") != "COMPLETING"
        ):
            return "running"  # Slurm has requeued it
        if self.state != "running":
            return self.state
        process = Process(self.host, self.pid, self.born)
        gone = process.is_here() and not process.is_alive()
        if self.slurm is None or queue is None:
            return "interrupted" if gone else "running"
        # one that Slurm has put back into the queue has no process, and yet goes on by itself
        waits = queue.get(self.slurm, "RUNNING") != "RUNNING"
        return "interrupted" if self.slurm not in queue or (gone and not waits) else "running"

    def seconds(self) -> float:
        """How long it took, or how long ago it began, when it has not said that it ended."""
        end = now() if self.end is None else self.end
        return (datetime.fromisoformat(end) - datetime.fromisoformat(self.start)).total_seconds()


def path_of(folder: Path) -> Path:
    """Where the entry of a run folder is: beside it, for a run that failed early leaves no folder."""
    return folder.parent / PLACE / f"{folder.name}.json"


def folder_of(path: Path) -> Path:
    """Which run folder an entry is of."""
    return path.parent.parent / path.name.removesuffix(".json")


def lock_of(folder: Path) -> Path:
    """The file that whoever runs a job holds locked."""
    return path_of(folder).with_name(f"{folder.name}.lock")


def log_of(folder: Path) -> Path:
    """The file that a job prints to when several run at once."""
    return path_of(folder).with_name(f"{folder.name}.log")


def write_entry(folder: Path, entry: Entry) -> Path:
    """Write the entry of a run folder whole."""
    return write_json(path_of(folder).parent, folder.name, asdict(entry))


def forget(folder: Path) -> None:
    """Remove a run folder from the ledger, and the ledger itself when it is empty."""
    for path in (path_of(folder), lock_of(folder)):
        path.unlink(missing_ok=True)
    place = path_of(folder).parent
    if place.is_dir() and not any(place.iterdir()):
        place.rmdir()


def read_entry(path: Path) -> Entry:
    """Read one entry.

    Raises:
        ValueError: if it is damaged, or not an entry.
        OSError: if it cannot be read.
    """
    try:
        found: Any = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"Expected {path} to be an entry of the ledger, but got: {error}; remove it.") from error
    return parse_entry(found, path)


def parse_entry(found: Any, path: Path) -> Entry:
    """Take what was read from a file for an entry.

    Raises:
        ValueError: if it is none.
    """
    held = found if isinstance(found, dict) else {}
    known: dict[str, Any] = {part.name: held.get(part.name) for part in fields(Entry)}
    for part in fields(Entry):
        if not _fits(known[part.name], part.type):
            raise ValueError(
                f"Expected {path} to be an entry of the ledger, but got {known[part.name]!r} as its `{part.name}`; "
                "remove it."
            )
    entry = Entry(**known)
    try:
        entry.seconds()
    except (ValueError, TypeError) as error:
        raise ValueError(f"Expected {path} to be an entry of the ledger, but got: {error}; remove it.") from error
    return entry


def is_gone(folder: Path) -> bool:
    """Whether what a done job left is no longer there; a command over several models leaves a folder for each."""
    return not (folder / "run.yaml").is_file() and not any(folder.glob("*/run.yaml"))


def _fits(value: Any, hint: Any) -> bool:
    if hint == list[str]:
        return isinstance(value, list) and all(isinstance(part, str) for part in value)
    return isinstance(value, get_args(hint) or hint) and not (isinstance(value, bool) and hint is not bool)


def entries(root: Path) -> list[Path]:
    """List the entries of all jobs at or below a folder, sorted, without reading them."""
    found = sorted(path for place in places(root) for path in place.glob("*.json"))
    if path_of(root.absolute()).is_file():  # a run folder
        found.append(path_of(root.absolute()))
    return found


def read_entries(root: Path) -> Iterator[tuple[Path, Entry | str]]:
    """Read the entries of all jobs at or below a folder; gives each run folder with its entry, or why it has none."""
    for path in entries(root):
        try:
            yield folder_of(path), read_entry(path)
        except FileNotFoundError:  # its job was removed since
            continue
        except (ValueError, OSError) as error:
            yield folder_of(path), str(error)


def places(root: Path) -> Iterator[Path]:
    """Find the folders of entries at or below a folder."""
    for folder, below, files in walk(root):
        if PLACE in below:
            yield Path(folder) / PLACE
        # what is inside a run folder, such as checkpoints and wandb's files, is no sweep
        below[:] = [] if "run.yaml" in files else [name for name in below if not name.startswith(".")]

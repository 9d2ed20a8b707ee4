"""Offline runs of wandb below a folder: their parts, and what is still to be sent."""

import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from babelscope.sweeps.ledger import path_of, read_entry
from babelscope.sweeps.slurm_queue import queued
from babelscope.verbs.errors import what_is

PART = re.compile(r"offline-run-\d{8}_\d{6}-(.+)")
HEADER = 7
"""Bytes of a file to which nothing was written before its job was killed."""
STATES = ("new", "running", "empty", "sent")


@dataclass(frozen=True)
class OfflineRun:
    """One run of wandb; a job that was resumed wrote several parts."""

    folder: Path
    """The run folder, which holds `wandb/`."""
    id: str
    parts: tuple[Path, ...]
    """Files in the order in which they were begun."""
    is_running: bool
    """Whether its job still writes."""

    @property
    def new(self) -> list[Path]:
        """Parts that were not sent and hold something."""
        return [part for part in self.parts if not is_sent(part) and part.stat().st_size > HEADER]

    @property
    def state(self) -> str:
        """One of STATES."""
        if self.is_running:
            return "running"
        return "new" if self.new else "sent" if any(map(is_sent, self.parts)) else "empty"


def is_sent(part: Path) -> bool:
    """Whether wandb has marked a part as uploaded."""
    return part.with_suffix(".wandb.synced").exists()


def offline_runs(root: Path) -> list[OfflineRun]:
    """Find every offline run at or below a folder, sorted.

    Raises:
        ValueError: if there is none.
    """
    parts: dict[tuple[Path, str], list[Path]] = defaultdict(list)
    for place in sorted(root.glob("**/wandb/offline-run-*")):
        named = PART.fullmatch(place.name)
        if named and (file := place / f"run-{named[1]}.wandb").is_file():
            parts[place.parents[1], named[1]].append(file)
    if not parts:
        raise ValueError(
            f"Expected `folder` to hold offline runs of wandb, but got {root}, {what_is(root)}; give the folder that "
            "the run folders are in, as in: babelscope sync outputs; runs that had an account were sent as they ran."
        )
    is_running = _ask_running()
    return [
        OfflineRun(folder, name, tuple(files), is_running(folder)) for (folder, name), files in sorted(parts.items())
    ]


def _ask_running() -> Callable[[Path], bool]:
    """Ask Slurm once; gives a function that tells by the ledger whether the job of a run folder still runs."""
    queue = queued()

    def is_running(folder: Path) -> bool:
        try:
            return read_entry(path_of(folder.absolute())).state_now(queue) == "running"
        except (FileNotFoundError, ValueError):  # not a job, or a damaged entry, which `babelscope runs` names
            return False

    return is_running

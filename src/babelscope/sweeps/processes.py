"""Whether the process that runs a job is still there."""

import os
import platform
from dataclasses import dataclass
from typing import Self

from babelscope.files import born

RANKS = ("RANK", "LOCAL_RANK", "SLURM_PROCID")
"""Variables that say which of several processes of one job this is."""


@dataclass(frozen=True)
class Process:
    """A process on one host; its time of birth tells it from a later one that was given the same number."""

    host: str
    pid: int
    born: str
    """Clock ticks between the machine's start and the process's; empty where there is no /proc."""

    @classmethod
    def own(cls) -> Self:
        """Describe the process that asks."""
        return cls(platform.node(), os.getpid(), born(os.getpid()) or "")

    def is_here(self) -> bool:
        """Whether it runs, or ran, on this host."""
        return self.host == platform.node()

    def is_alive(self) -> bool:
        """Whether it still runs; only this host's processes can be asked."""
        return born(self.pid) == self.born


def is_first_rank() -> bool:
    """Whether this is the process that keeps the books of a job: children of DDP and further tasks of srun do not."""
    return all(os.environ.get(name, "0") == "0" for name in RANKS)

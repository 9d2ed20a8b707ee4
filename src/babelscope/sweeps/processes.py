"""Whether the process that runs a job is still there."""

import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Self


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
        return cls(platform.node(), os.getpid(), _born(os.getpid()) or "")

    def is_here(self) -> bool:
        """Whether it runs, or ran, on this host."""
        return self.host == platform.node()

    def is_alive(self) -> bool:
        """Whether it still runs; only this host's processes can be asked."""
        return _born(self.pid) == self.born


def _born(pid: int) -> str | None:
    """Tell when a process began; None where there is no such process, or only its exit code waits to be read."""
    try:
        if not Path("/proc/self/stat").exists():
            os.kill(pid, 0)
            return ""
        # the name stands in brackets and may hold any character
        state, *fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    except PermissionError:
        return ""
    return None if state in "ZX" else fields[18]


def is_first_rank() -> bool:
    """Whether this is the process that keeps the books of a job: children of DDP and further tasks of srun do not."""
    return all(os.environ.get(name, "0") == "0" for name in ("RANK", "LOCAL_RANK", "SLURM_PROCID"))

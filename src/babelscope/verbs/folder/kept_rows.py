"""The rows that a run already has when it resumes from a checkpoint."""

import math
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import torch

from babelscope.sweeps.progress import STEP
from babelscope.training.checkpoint import find_last
from babelscope.verbs.folder.kept import RefusedError


def find_begun(folder: Path) -> tuple[Path | None, str]:
    """Find the checkpoint that a run resumes from, if there is one, and the name in its rows.

    That is the name of the folder in which the run began, which may have been renamed since.

    Raises:
        ValueError: if the checkpoint is damaged, or was not written by a training.
        RefusedError: if rows from before the checkpoint, which are not measured again, cannot be read.
    """
    last = find_last(folder)
    return last, folder.name if last is None else _name_of_rows(folder, last)


def _name_of_rows(folder: Path, last: Path) -> str:
    names = []
    reached = _step_of(last)
    for part in sorted((folder / "results").glob("*.parquet")):
        step = int(part.stem[-8:]) if part.match(f"*-{STEP}.parquet") else 0
        if step > reached or part.name.startswith("test-"):
            continue  # measured again
        try:
            names += pq.read_table(part, columns=["run"], partitioning=None)["run"][:1].to_pylist()
        except (pa.ArrowException, OSError, KeyError) as error:
            reason = str(error).splitlines()[0]
            raise RefusedError(
                f"Expected {part}, the rows of an earlier step, to be readable, but got: {reason}; delete {last} to "
                "restart this run, or the whole folder. Deleting only this part loses that step for good."
            ) from error
    return str(names[0]) if names else folder.name


def _step_of(last: Path) -> float:
    """Read how many steps came before a checkpoint; a sharded one does not say, and counts as all."""
    if not last.is_file():
        return math.inf
    return float(torch.load(last, map_location="meta", mmap=True, weights_only=True)["global_step"])

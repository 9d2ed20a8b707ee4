"""What a training has published so far: in memory, or in the files of its run folder, which are read when asked for."""

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

Rows = list[dict[str, Any]]


class Published:
    """Rows by step; of those that a file holds only its place, for pairs of 200 languages would fill gigabytes."""

    def __init__(self) -> None:
        self._parts: list[tuple[int, Rows | Path]] = []

    def add(self, step: int, rows: Rows, file: Path | None = None) -> None:
        """Add the rows of one step; those that are the whole of a file, in place of what it held, are not kept."""
        self._parts = [(at, part) for at, part in self._parts if file is None or part != file]
        self._parts.append((step, rows if file is None else file))

    def drop_later(self, step: int) -> None:
        """Forget the rows of later steps."""
        self._parts = [(at, part) for at, part in self._parts if at <= step]

    def read(self) -> Rows:
        """Return all rows in the order in which they were added.

        Raises:
            FileNotFoundError: if a file is gone.
        """
        return [row for _, part in self._parts for row in (_read(part) if isinstance(part, Path) else part)]


def _read(file: Path) -> Rows:
    with file.open("rb") as opened:  # Arrow takes a path with a colon for an address
        return pq.read_table(opened).to_pylist()

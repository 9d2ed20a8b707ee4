"""Rows of a training, one part of the results per series and step."""

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from babelscope.report.table import write

logger = logging.getLogger(__name__)


def write_step(folder: Path, series: str, step: int, rows: Iterable[Mapping[str, Any]]) -> Path:
    """Write the rows of one step, in place of any there were.

    Args:
        folder: The run folder.
        series: What the rows are of, such as "layers".
        step: Optimizer steps so far.
        rows: As of `write`, which names the errors.
    """
    return write(folder, f"{series}-{step:08d}", rows)


def drop_later(folder: Path, series: str) -> None:
    """Remove what a training before this one in the folder has written after its step 0, and say so."""
    later = [part for part in sorted((folder / "results").glob(f"{series}-*.parquet")) if _step(part, series) > 0]
    for part in later:
        part.unlink(missing_ok=True)
    if later:
        logger.warning(
            "Training begins anew in %s, so the rows of %d later steps (%s) are removed.", folder, len(later), series
        )


def _step(part: Path, series: str) -> int:
    number = part.stem.removeprefix(f"{series}-")
    return int(number) if number.isdecimal() else 0

"""How far a run is, as cheaply as its files tell."""

import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

STEP = "[0-9]" * 8
EPOCHS = re.compile(r"^trainer:\n(?:[ #].*\n)*?  max_epochs: (\d+)$", re.MULTILINE)


def progress_of(folder: Path) -> str:
    """Tell the last epoch and step that a run has written rows of; empty for one that is not by epochs.

    Only the newest part of the rows is opened, and no row of it is read where its end tells.
    """
    parts = {int(path.stem[-8:]): path for path in (folder / "results").glob(f"*-{STEP}.parquet")}
    if not parts:
        return ""
    step = max(parts)
    try:
        config = (folder / "run.yaml").read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        return f"run.yaml cannot be read: {type(error).__name__}"
    try:
        epoch = _last_epoch(parts[step])
    except (pa.ArrowException, OSError, ValueError) as error:
        return f"{parts[step].name} cannot be read: {type(error).__name__}"
    of = EPOCHS.search(config)
    return f"epoch {epoch}/{of[1]}, step {step}" if of else ""


def _last_epoch(part: Path) -> Any:
    """Find the greatest epoch of a part: each group of its rows may tell its own at the end of the file."""
    with part.open("rb") as file, pq.ParquetFile(file) as rows:
        place = rows.schema_arrow.names.index("epoch")
        told = [rows.metadata.row_group(group).column(place).statistics for group in range(rows.num_row_groups)]
        if all(group is not None and group.has_min_max for group in told):
            return max(group.max for group in told)
        return max(rows.read(["epoch"])["epoch"].to_pylist())

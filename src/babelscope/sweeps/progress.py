"""How far a run is, as cheaply as its files tell."""

import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

STEP = "[0-9]" * 8
EPOCHS = re.compile(r"^trainer:\n(?:[ #].*\n)*?  max_epochs: (\d+)$", re.MULTILINE)


def progress_of(folder: Path) -> str:
    """Tell the last epoch and step that a run has written rows of; empty for one that is not by epochs.

    Only the newest part of the rows is opened, and only one column of it.
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
        epoch = max(pq.read_table(parts[step], columns=["epoch"], partitioning=None)["epoch"].to_pylist())
    except (pa.ArrowException, OSError, ValueError) as error:
        return f"{parts[step].name} cannot be read: {type(error).__name__}"
    of = EPOCHS.search(config)
    return f"epoch {epoch}/{of[1]}, step {step}" if of else ""

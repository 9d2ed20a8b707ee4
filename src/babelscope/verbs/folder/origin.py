"""Where a checkpoint comes from: the training run that wrote it, and the step."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from babelscope.report.runs import model_of, step_in
from babelscope.report.table import read_run


@dataclass(frozen=True)
class Origin:
    """The place of a checkpoint in its training; all zero or empty where that is not known."""

    step: int = 0
    epoch: int = 0
    run: str = ""
    """Name of the run folder."""
    model: str = ""
    """Name of the model that was trained in it."""
    setting: dict[str, Any] = field(default_factory=dict)
    source_language: str = ""


def training_of(checkpoint: str | Path) -> Path | None:
    """Find the run folder of the training that wrote a checkpoint, if it lies in one."""
    folder = Path(checkpoint).expanduser()
    folder = folder.parent if folder.name == "model" else folder
    is_one = all((folder / name).exists() for name in ("run.yaml", "manifest.json", "results", "model"))
    return folder if is_one else None


def origin_of(checkpoint: str | Path, revision: str | None) -> Origin:
    """Read step and epoch from the run folder that a checkpoint lies in, and the step from a revision's name.

    Args:
        checkpoint: A run folder, the folder `model` in it, any other folder or a Hub id.
        revision: Such as "step=100" of a run, or "global_step1000" of BLOOM; see `step_in`.

    Raises:
        ValueError: if it lies in a run folder that cannot be read.
    """
    named, folder = step_in(revision), training_of(checkpoint)
    if folder is None:
        return Origin(step=named or 0)
    run = read_run(folder)
    step = named if named is not None else int(run.rows["step"].max()) if len(run.rows) else 0
    before = run.rows[run.rows["step"] <= step]
    return Origin(
        step=step,
        epoch=int(before["epoch"].max()) if len(before) else 0,
        run=folder.absolute().name,
        model=str((run.config.get("model") or {}).get("name") or model_of(run)),
        setting=dict(run.manifest.get("setting") or {}),
        source_language=str(run.manifest.get("source_language") or ""),
    )

"""wandb as a mirror of the rows: opened as a run begins, fed once per epoch, closed whatever happens.

wandb itself is imported only where a run has it as a logger, for its import takes half a second.
"""

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytorch_lightning as pl
from pytorch_lightning.loggers import Logger, WandbLogger
from pytorch_lightning.utilities.rank_zero import rank_zero_only

from babelscope.report.summary import settings_table
from babelscope.report.table import THIRDS, Run, read
from babelscope.verbs.errors import exit_code
from babelscope.verbs.mirror.picture import draw_all_heat_maps

TASK = ("validation_", "test_")
TAG = 64
"""Characters that wandb lets a tag have."""


class Mirror(WandbLogger):
    """Lightning's logger for wandb, with epochs counted as the rows count them: those that are over."""

    def __init__(self, *, save_dir: str | Path, tags: Sequence[str] = (), **options: Any):
        # absolute, for wandb writes from a process of its own, which may be older than the working folder
        folder = Path(save_dir).expanduser().absolute()
        super().__init__(save_dir=folder, tags=[tag[:TAG] for tag in tags], **options)
        self.by_epoch: set[str] = set()
        """Sections that have the epoch as their x-axis, each defined once."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Log numbers; those of layers and of the task are over epochs, all others over steps, as Lightning has it."""
        sections = {name.rpartition("/")[0] for name in metrics if "/layer_" in name or name.startswith(TASK)}
        for section in sorted(sections - self.by_epoch):
            self.experiment.define_metric(f"{section}/*", step_metric="epoch")
        self.by_epoch |= sections
        if "epoch" in metrics and any(name.startswith("validation_") for name in metrics):
            metrics = {**metrics, "epoch": metrics["epoch"] + 1}  # Lightning validates before it counts the epoch
        super().log_metrics(metrics, step)


class EpochMirror(pl.Callback):
    """Show wandb what an epoch measured, once per epoch, for each picture and table is a file of its own.

    To be the last callback: it reads the rows that the others have written.

    Args:
        folder: Run folder.
    """

    def __init__(self, folder: Path):
        self.folder = folder

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Show what was measured before anything is learnt; a resumed run has shown it already."""
        if trainer.global_step == 0:
            self._show(trainer, 0)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Show the rows of the epoch, and all layers over all steps so far."""
        self._show(trainer, trainer.current_epoch + 1)

    def _show(self, trainer: pl.Trainer, epoch: int) -> None:
        mirrors = _mirrors(trainer.loggers) if trainer.is_global_zero else []
        if not mirrors:
            return
        import wandb

        rows = read(self.folder, pairs=False)
        rows = rows[rows["epoch"] <= epoch]
        picture = draw_all_heat_maps(rows)
        for logger in mirrors:
            shown = {} if picture is None else {"layers_by_steps": wandb.Plotly(picture)}
            axes = {"epoch": epoch, "trainer/global_step": trainer.global_step}
            _log(logger.experiment, rows[rows["epoch"] == epoch], **shown, **axes)


def sweep_of(output: str) -> str:
    """Name the sweep of a run folder: by the folder that all its run folders are in, whatever runs in them when."""
    return Path(output).expanduser().absolute().parent.name


def run_id(fingerprint: str, output: str) -> str:
    """Identify a run for wandb: the same when it is resumed, and another in any other folder of the same command."""
    folder = Path(os.path.abspath(Path(output).expanduser()))
    # not the whole path, so that runs can be resumed where their folders were moved
    return f"{fingerprint}-{hashlib.sha256(f'{folder.parent.name}/{folder.name}'.encode()).hexdigest()[:8]}"


@contextmanager
def mirrored(loggers: Sequence[Logger], config: dict[str, Any]) -> Iterator[None]:
    """Give wandb the configuration; finish it with the exit code of what runs inside.

    Without a finish, the jobs of one process would share one wandb run.
    """
    mirrors = _mirrors(loggers)
    try:
        for logger in mirrors:
            _open(logger, config)
        yield
    except BaseException as error:
        _finish(mirrors, exit_code(error))
        raise
    _finish(mirrors, 0)


def log_table(loggers: Sequence[Logger], run: Run) -> None:
    """Log where the run ended: the rows of its last epoch with the test scores, and the numbers to compare runs by."""
    for logger in _mirrors(loggers):
        epoch, step = int(run.rows["epoch"].max()), int(run.rows["step"].max())
        last = run.rows[run.rows["epoch"] == epoch]
        _log(logger.experiment, last, **{"epoch": epoch, "trainer/global_step": step})
        logger.experiment.summary.update(compared(run))


def compared(run: Run) -> dict[str, float]:
    """Name the numbers that runs are compared by: alignment by thirds of the depth, and what the task scored."""
    row = settings_table([run]).iloc[0]
    numbers = {
        f"{metric}_{third}": row[f"{metric}_{third}_last"] for metric in ("ilo", "separability") for third in THIRDS
    }
    numbers |= {f"{name}_{row['score']}": row[name] for name in ("test", "zero_shot")}
    return {f"compared/{name}": float(value) for name, value in numbers.items() if pd.notna(value)}


def _open(logger: WandbLogger, config: dict[str, Any]) -> None:
    import wandb

    try:
        wandb.termsetup(wandb.Settings(silent=True), None)  # else it warns of an argument that Lightning always gives
        logger.log_hyperparams(config)
        for key in ("rows", "layers_by_steps"):
            logger.experiment.define_metric(key, step_metric="epoch")
    except wandb.Error as error:
        reason = " ".join(str(error).split())
        raise ValueError(
            f"Expected `logger.wandb` to open a run, but got: {reason}; log in by `wandb login`, or write "
            "logger.wandb.offline=true, or logger=csv to do without."
        ) from error


def _mirrors(loggers: Sequence[Logger]) -> list[WandbLogger]:
    return [logger for logger in loggers if isinstance(logger, WandbLogger)]


def _log(run: Any, rows: pd.DataFrame, **others: Any) -> None:
    """Log a table of rows, without those of pairs of languages, which would be nearly all of it."""
    import wandb

    wandb.Table.MAX_ROWS = wandb.Table.MAX_ARTIFACT_ROWS  # else it is cut at 10,000
    table = wandb.Table(dataframe=rows[rows["other"] == ""].drop(columns=["run", "other"]))
    if run.offline:
        # else it is kept as an artifact, too: in the home folder, where a folder that was moved no longer finds it
        table.bind_to_run(run, "rows", run.step)
    run.log({"rows": table, **others})


def _finish(mirrors: Sequence[WandbLogger], exit_code: int) -> None:
    if mirrors:
        import wandb

        if wandb.run is not None:
            wandb.finish(exit_code=exit_code)

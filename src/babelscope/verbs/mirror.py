"""wandb as a mirror of the rows: opened as a run begins, closed whatever happens."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pandas as pd
import wandb
from pytorch_lightning.loggers import Logger, WandbLogger

from babelscope.report.table import Run


@contextmanager
def mirrored(loggers: Sequence[Logger], config: dict[str, Any], sections: Sequence[str]) -> Iterator[None]:
    """Give wandb the configuration and the axis of each section; finish it with the exit code of what runs inside.

    Without a finish, the jobs of one process would share one wandb run.
    """
    mirrors = [logger for logger in loggers if isinstance(logger, WandbLogger)]
    try:
        for logger in mirrors:
            _open(logger, config, sections)
        yield
    except BaseException:
        _finish(mirrors, 1)
        raise
    _finish(mirrors, 0)


def _open(logger: WandbLogger, config: dict[str, Any], sections: Sequence[str]) -> None:
    try:
        wandb.termsetup(wandb.Settings(silent=True), None)  # else it warns of an argument that Lightning always gives
        logger.log_hyperparams(config)
        for section in sections:
            logger.experiment.define_metric(f"{section}/*", step_metric="epoch")
    except wandb.Error as error:
        reason = " ".join(str(error).split())
        raise ValueError(
            f"Expected `logger.wandb` to open a run, but got: {reason}; log in by `wandb login`, or write "
            "logger.wandb.offline=true, or logger=csv to do without."
        ) from error


def log_table(loggers: Sequence[Logger], run: Run) -> None:
    """Log the long table once, at the end: every log of a table is a file of its own."""
    rows: pd.DataFrame = run.rows
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            for metric in sorted(set(rows.loc[rows["layer"] != "", "metric"])):
                logger.experiment.define_metric(f"{metric}/*", step_metric="epoch")
            logger.experiment.log({"rows": wandb.Table(dataframe=rows)})


def _finish(mirrors: Sequence[WandbLogger], exit_code: int) -> None:
    if mirrors and wandb.run is not None:
        wandb.finish(exit_code=exit_code)

"""What the terminal shows when a training has ended, and the page and tables that are made of its rows."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pytorch_lightning.loggers import Logger

from babelscope.report.page import write_page
from babelscope.report.runs import scores_of
from babelscope.report.table import read_run
from babelscope.verbs.mirror.logger import log_table
from babelscope.verbs.terminal.console import print_layers, print_settings


def show_training(folder: Path, loggers: Sequence[Logger], columns: Sequence[str], *, steps: int, page: bool) -> None:
    """Print the scores of a run, log them as a table, and write its page; a run may have no callback that writes rows.

    Args:
        folder: Run folder.
        loggers: Of the Trainer.
        columns: Metrics to print per layer; all there are, up to seven, if there are none of these.
        steps: Optimizer steps of the training.
        page: Whether to write `report.html`.
    """
    run = read_run(folder) if (folder / "results").is_dir() else None
    if run is None or run.rows.empty:
        print("No callback wrote rows, so there are no tables and no page; add layer_scores or task_scores for them.")
        return
    run = replace(run, manifest={**run.manifest, "finished": True})  # in the file, once all of this is written
    log_table(loggers, run)
    layers = scores_of(run.rows[run.rows["layer"] != ""])
    known = [str(name) for name in layers["metric"].unique()]
    print_layers(run, [name for name in columns if name in known] or known[:7])
    print_settings([run])
    if len(layers) and (last := int(layers["step"].max())) < steps:
        print(
            f"Layers were last measured at step {last} of {steps} (averaged weights only at validations); for scores "
            "of the final model, let training end on a validation, or set trainer.val_check_interval."
        )
    if page:
        print(f"Wrote {write_page([run], folder / 'report.html')}")

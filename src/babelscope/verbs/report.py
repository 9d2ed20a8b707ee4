"""`babelscope report`: one self-contained page over all runs below a folder."""

from pathlib import Path

from omegaconf import DictConfig

from babelscope.report.page import write_page
from babelscope.report.table import find_runs
from babelscope.verbs.console import print_settings


def main(cfg: DictConfig, folder: Path) -> None:
    """Read the runs, write the page and print their table."""
    runs = find_runs(Path(cfg.runs).expanduser())
    page = write_page(runs, Path(cfg.page).expanduser())
    print_settings(runs)
    print(f"Wrote {page}")

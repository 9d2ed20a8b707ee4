"""`babelscope report`: one self-contained page over all runs below a folder."""

from pathlib import Path

from omegaconf import DictConfig

from babelscope.report.page import write_page
from babelscope.report.table import find_runs
from babelscope.verbs.console import print_settings


def main(cfg: DictConfig, folder: Path) -> None:
    """Read the runs, print their table and write the page."""
    runs = find_runs(Path(cfg.runs))
    print_settings(runs)
    print(f"Wrote {write_page(runs, Path(cfg.page))}")

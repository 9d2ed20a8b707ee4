"""`babelscope report`: one self-contained page over all runs below a folder."""

from pathlib import Path

from omegaconf import DictConfig

from babelscope.report.page import write_page
from babelscope.report.table import find_runs
from babelscope.report.tokens_page import is_of_tokens, write_tokens_page
from babelscope.verbs.console import print_settings


def main(cfg: DictConfig, folder: Path) -> None:
    """Read the runs, write the page and print their table."""
    found, path = find_runs(Path(cfg.runs).expanduser()), Path(cfg.page).expanduser()
    runs = [run for run in found if not is_of_tokens(run)]
    if not runs:  # token tables have a page of their own
        print(f"Wrote {write_tokens_page(found, path)}")
        return
    page = write_page(runs, path)
    print_settings(runs)
    print(f"Wrote {page}")

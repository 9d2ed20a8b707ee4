"""`babelscope report`: one self-contained page over all runs below a folder."""

from pathlib import Path

from omegaconf import DictConfig

from babelscope.report.downstream import is_of_tasks
from babelscope.report.page import write_page
from babelscope.report.study.page import write_study_page
from babelscope.report.study.replicates import is_study, reduce
from babelscope.report.study.tables import studies_of
from babelscope.report.table import read_head, read_run, run_folders
from babelscope.report.tokens_page import is_of_tokens, write_tokens_page
from babelscope.verbs.console import print_settings, print_study, track_runs


def main(cfg: DictConfig, folder: Path) -> None:
    """Read the runs, write the page and print their table."""
    path = Path(cfg.page).expanduser()
    heads = [read_head(found) for found in run_folders(Path(cfg.runs).expanduser())]
    tasks = [read_run(head.folder) for head in heads if is_of_tasks(head)]
    runs = [head for head in heads if not is_of_tokens(head) and not is_of_tasks(head)]
    if not runs and not tasks:  # token tables have a page of their own
        print(f"Wrote {write_tokens_page([read_run(head.folder) for head in heads], path)}")
        return
    if is_study(runs):  # hundreds of runs: each is cut down before the next is read
        replicates = [reduce(read_run(head.folder)) for head in track_runs(runs)]
        if studies_of(replicates):
            page = write_study_page(replicates, path, downstream=tasks)
            print_study(replicates)
            print(f"Wrote {page}")
            return
    found = [read_run(head.folder) for head in runs]
    page = write_page(found, path, downstream=tasks)
    if found:
        print_settings(found)
    print(f"Wrote {page}")

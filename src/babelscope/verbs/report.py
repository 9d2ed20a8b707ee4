"""`babelscope report`: one self-contained page over all runs below a folder."""

from pathlib import Path

from omegaconf import DictConfig

from babelscope.report.downstream import is_of_tasks
from babelscope.report.neurons_page import is_of_neurons, write_neurons_page
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
    neurons = [head for head in heads if is_of_neurons(head)]
    runs = [head for head in heads if not (is_of_tokens(head) or is_of_tasks(head) or is_of_neurons(head))]
    shown = [*runs, *tasks] or neurons or heads
    if apart := len(heads) - len(shown):
        print(f"Left out {apart} runs of token tables or neurons, which have pages of their own: give their folders")
    if not runs and not tasks:
        whole = [read_run(head.folder) for head in shown]
        print(f"Wrote {write_neurons_page(whole, path) if neurons else write_tokens_page(whole, path)}")
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

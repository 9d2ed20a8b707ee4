"""`babelscope report`: one self-contained page over all runs below a folder."""

import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from omegaconf import DictConfig

from babelscope.report.comparable import say_differing
from babelscope.report.downstream import is_of_tasks
from babelscope.report.neurons.page import is_of_neurons, write_neurons_page
from babelscope.report.page import write_page
from babelscope.report.runs import counted, model_of, task_of
from babelscope.report.study.page import write_study_page
from babelscope.report.study.replicates import is_study, replicate_of
from babelscope.report.study.studies import studies_of
from babelscope.report.sweep.heads import read_heads
from babelscope.report.sweep.page import write_sweep_page
from babelscope.report.sweep.runs import sweep_run_of
from babelscope.report.table import Run, read_run, run_folders
from babelscope.report.tokens.page import is_of_tokens, write_tokens_page
from babelscope.sweeps.jobs import UNREADABLE, Job, read_jobs
from babelscope.verbs.config.values import Value, check_values, is_text, switch, text
from babelscope.verbs.terminal.console import print_settings, print_study, track
from babelscope.verbs.terminal.sweeps import print_sweep, print_trouble

MOST_COMPARED = 12
"""More runs than this are compared by groups, and not each with each."""

VALUES = (
    Value(
        "runs",
        "text, one folder, below which every run is read",
        is_text,
        "write runs=outputs, or, for several folders, the one that holds them all; a number that is a name has quotes "
        "of its own: 'runs=\"5\"'",
    ),
    text("page", "a file to write", "report.html"),
    switch("study", "true"),
)


def main(cfg: DictConfig, folder: Path) -> None:
    """Read the runs, write the page and print their table."""
    check_values(cfg, VALUES)
    root, path = Path(cfg.runs).expanduser(), Path(cfg.page).expanduser()
    if path.is_dir():
        raise ValueError(
            f"Expected `page` to be a file to write, but got the folder {path}; give page={path}/report.html."
        )
    jobs = read_jobs(root)
    heads, unreadable = read_heads(run_folders(root) if not jobs or any(root.rglob("run.yaml")) else [])
    tasks = [read_run(head.folder) for head in heads if is_of_tasks(head)]
    _name_unfinished(tasks)
    neurons = [head for head in heads if is_of_neurons(head)]
    runs = [head for head in heads if not (is_of_tokens(head) or is_of_tasks(head) or is_of_neurons(head))]
    shown = [*runs, *tasks] or neurons or heads
    if apart := len(heads) - len(shown):
        print(
            f"Left out {counted(apart, 'run')} of `tokens` or `neurons`; for their page, run babelscope report "
            "runs=THEIR_FOLDER"
        )
    if is_sweep(runs) or not (heads or unreadable):
        _write_sweep(runs, [*jobs, *unreadable], path, tasks, study=cfg.study)
        return
    if unreadable:
        raise ValueError(unreadable[0].error)
    if not runs and not tasks:
        whole = [read_run(head.folder) for head in shown]
        _name_empty(whole)
        with _writing(path):
            print(f"Wrote {write_neurons_page(whole, path) if neurons else write_tokens_page(whole, path)}")
        return
    print_trouble(jobs)
    if is_study(runs):  # hundreds of runs: each is cut down before the next is read
        replicates = [replicate_of(read_run(head.folder, pairs=False)) for head in track(runs, "Reading runs")]
        if studies_of(replicates):
            with _writing(path):
                page = write_study_page(replicates, path, downstream=tasks)
            print_study(replicates)
            print(f"Wrote {page}")
            return
    found = [read_run(head.folder) for head in runs]
    _name_empty([*found, *tasks])
    found, tasks = ([run for run in some if len(run.rows)] for some in (found, tasks))
    with _writing(path):
        page = write_page(found, path, downstream=tasks)
    if found:
        print_settings(found)
        if said := say_differing(found, ["ilo"]):
            print(said)
    print(f"Wrote {page}")


def is_sweep(runs: Sequence[Run]) -> bool:
    """Tell whether the runs fine-tune several models, or are too many to be compared one by one and no study."""
    tuned = [run for run in runs if task_of(run)]
    return len({model_of(run) for run in tuned}) > 1 or (len(tuned) > MOST_COMPARED and not is_study(runs))


def _write_sweep(runs: Sequence[Run], jobs: list[Job], path: Path, tasks: Sequence[Run], *, study: bool) -> None:
    """Write the page of a sweep, and that of a study beside it where it is asked for; what cannot be read is named."""
    tuned = [run for run in runs if task_of(run)]
    if apart := len(runs) - len(tuned):
        print(
            f"Left out {counted(apart, 'run')} without fine-tuning; for their page, run babelscope report "
            "runs=THEIR_FOLDER"
        )
    found, replicates = [], []
    for head in track(tuned, "Reading runs"):
        try:
            run = read_run(head.folder, pairs=False)
        except (ValueError, OSError) as error:
            jobs.append(Job(head.folder, UNREADABLE, error=str(error)))
            continue
        found.append(sweep_run_of(run))
        replicates += [replicate_of(run)] if study else []
    beside = path.with_name(f"{path.stem}_study{path.suffix}") if studies_of(replicates) else None
    with _writing(path):
        if beside is not None:
            write_study_page(replicates, beside, downstream=tasks)
        page = write_sweep_page(found, jobs, path, study=beside, downstream=tasks)
    print_sweep(found)
    print_trouble(jobs)
    if is_study(tuned) and not study:
        print(
            "To see which layers to freeze, add study=true: it also writes "
            f"{path.with_name(f'{path.stem}_study{path.suffix}')}"
        )
    print(f"Wrote {page}{f' and {beside}' if beside else ''}")


def _name_empty(runs: Sequence[Run]) -> None:
    """Name the runs that a page leaves out, as nothing was measured in them; where that is all, there is no page."""
    empty = [run for run in runs if run.rows.empty]
    for run in empty if len(empty) < len(runs) else []:
        print(f"Left out {run.folder}, whose results/ has no rows: finish that run, or remove its folder")


def _name_unfinished(tasks: Sequence[Run]) -> None:
    """Name the runs of `babelscope evaluate` that ended before their last language."""
    for run in tasks:
        if run.manifest.get("finished") is False:
            done = counted(run.rows["language"].nunique(), "language")
            print(f"Not finished: {run.folder}, which has {done} so far; repeat its command for all")


@contextmanager
def _writing(page: Path) -> Iterator[None]:
    """Say of a page that cannot be written which key names it."""
    try:
        yield
    except OSError as error:
        reason = "a full disk" if error.errno == errno.ENOSPC else error.strerror or str(error)
        raise ValueError(
            f"Expected `page` to be a file that can be written, but got {page} ({reason}); give another place as "
            "page=FILE."
        ) from error

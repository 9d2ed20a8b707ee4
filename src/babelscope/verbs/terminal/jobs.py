"""What the terminal shows of the jobs of sweeps: all of them, or as many as fit while they are followed."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.box import SIMPLE
from rich.console import Console, Group
from rich.table import Table

from babelscope.report.runs import counted
from babelscope.sweeps.jobs import GONE, QUEUED, RETRIED, STATES, UNREADABLE, Job
from babelscope.sweeps.progress import progress_of

FOLLOWED = ("running", *RETRIED, UNREADABLE, QUEUED, GONE, "done")
"""States in the order in which whoever follows jobs wants to see them."""


def picture(jobs: Sequence[Job]) -> Group:
    """Show every job and, below, how many there are in each state."""
    names = names_of(jobs)
    ordered = sorted(jobs, key=lambda job: (job.state == "done", job.folder))
    return Group(_table([_cells(job, names) for job in ordered]), _summary(jobs))


def followed(jobs: Sequence[Job], console: Console) -> Group:
    """Show how many jobs there are in each state and, below, as many of them as the terminal has lines for."""
    names, ordered = names_of(jobs), sorted(jobs, key=lambda job: (FOLLOWED.index(job.state), job.folder))
    rows = [_cells(job, names) for job in ordered[: console.height]]

    def cut(most: int) -> Group:
        left = ordered[most:]
        return Group(_summary(jobs), _table(rows[:most]), *([f"not shown: {_states(left)}"] if left else []))

    # a job may take several lines
    most = bisect_right(
        range(1, len(rows) + 1), console.height - 1, key=lambda number: len(console.render_lines(cut(number)))
    )
    return cut(most)


def _cells(job: Job, names: dict[Path, str]) -> list[str]:
    progress = "" if job.state == GONE else progress_of(job.folder)
    log = (job.entry and job.entry.log) or ""
    return [job.state, names[job.folder] or job.folder.name, progress, _time(job), job.error, log]


def _table(rows: Sequence[list[str]]) -> Table:
    logs = any(log for *_, log in rows)
    table = Table("state", box=SIMPLE)
    table.add_column("job", overflow="fold")
    table.add_column("progress", justify="right")
    table.add_column("time", justify="right", no_wrap=True)
    for name in ("error", *(["log"] if logs else [])):
        table.add_column(name, overflow="fold")
    for cells in rows:
        table.add_row(*cells[: None if logs else -1])
    return table


def _summary(jobs: Sequence[Job]) -> str:
    return f"{counted(len(jobs), 'job')}: {_states(jobs)}"


def _states(jobs: Iterable[Job]) -> str:
    counts = Counter(job.state for job in jobs)
    return ", ".join(f"{counts[state]} {state}" for state in STATES if counts[state])


def names_of(jobs: Iterable[Job]) -> dict[Path, str]:
    """Name each job by the overrides that not all jobs of its verb share, or else by its folder."""
    told = {job.folder: (job.entry.verb, job.entry.overrides) if job.entry else ("", []) for job in jobs}
    given: dict[str, list[set[str]]] = {}
    for verb, overrides in told.values():
        if verb:
            given.setdefault(verb, []).append(set(overrides))
    shared = {verb: set.intersection(*sets) for verb, sets in given.items() if len(sets) > 1}

    def name(folder: Path, verb: str, overrides: Sequence[str]) -> str:
        own = [part for part in overrides if part not in shared.get(verb, overrides)]
        return " ".join([verb, *own] if own and len(given) > 1 else own) or folder.name

    return {folder: name(folder, *command) for folder, command in told.items()}


def _time(job: Job) -> str:
    """How long a job took; one that was killed left no time of its end."""
    if job.entry is None or (job.entry.end is None and job.state != "running"):
        return ""
    minutes, seconds = divmod(round(job.entry.seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"

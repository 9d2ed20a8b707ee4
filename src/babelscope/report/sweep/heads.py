"""The heads of many run folders, and the folders that cannot be read, as jobs that say why."""

from collections.abc import Collection
from pathlib import Path

from babelscope.report.table import Run, read_head
from babelscope.sweeps.jobs import UNREADABLE, Job


def read_heads(folders: Collection[Path]) -> tuple[list[Run], list[Job]]:
    """Read configuration and manifest of every run folder; those that cannot be read are jobs that say why."""
    heads, unreadable = [], []
    for folder in folders:
        try:
            head = read_head(folder)
        except (ValueError, OSError) as error:
            unreadable.append(Job(folder, UNREADABLE, error=str(error)))
        else:
            heads.append(head)
    return heads, unreadable

"""What `babelscope tokens` shows in the terminal."""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pandas as pd

from babelscope.analyses.tokens.blocks import Found
from babelscope.report.table import Run
from babelscope.report.tokens.summary import pair_table, token_table
from babelscope.verbs.terminal.console import console, show, track


def searching(blocks: Iterable[Found], total: int, done: int) -> Iterable[Found]:
    """Show how far the search for neighbours is, counting the blocks of an earlier command."""
    if done:
        print(f"Resuming after {done} of {total} blocks of neighbours")
    return track(blocks, "Neighbours", total=total, completed=done)


def busy(what: str) -> AbstractContextManager[Any]:
    """Show that a long step is running, on a terminal only."""
    return console.status(what) if console.is_terminal else nullcontext()


def print_tables(runs: Sequence[Run]) -> None:
    """Print one column per model: tokens, probe, neighbours and translations, beside chance."""
    _show("Token embeddings (published: Wen-Yi & Mimno 2023)", token_table(runs))


def print_pairs(run: Run) -> None:
    """Print one column per pair of models."""
    values = pair_table(run).T
    values.columns = [str(name).replace(" x ", "\n") for name in values.columns]
    _show("Between tables", values.rename_axis("measure"))


def _show(title: str, values: pd.DataFrame) -> None:
    names = [str(values.index.name), *map(str, values.columns)]
    show(title, names, [[str(name), *map(str, row)] for name, row in zip(values.index, values.to_numpy(), strict=True)])

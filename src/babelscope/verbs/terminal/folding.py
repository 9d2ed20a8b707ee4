"""Tables that fit the terminal: numbers that do not go on in a table below, beside the names of the lines again."""

from collections.abc import Iterable, Sequence

from rich.box import SIMPLE
from rich.cells import cell_len
from rich.table import Table

GAP = 3
"""Cells beside a column: a blank on either side, and one of the box, which has one more at its edge."""


def fold(names: Sequence[str], rows: Sequence[Sequence[str]], width: int, *, keys: int = 1) -> list[Table]:
    """Make as few tables as have room for every number and its name.

    Args:
        names: Of the columns (C).
        rows: Lines of C cells.
        width: Cells of a line of the terminal.
        keys: Columns in front that name the line, in every table; they are wrapped where numbers need the room.
    """
    columns = list(zip(names, *rows, strict=True))
    least = sum(_widest(cell.split() for cell in cells) + GAP for cells in columns[:keys])
    room = width - 1 - min(least, width // 2)
    parts: list[list[int]] = [[]]
    left = room
    for place, cells in enumerate(columns[keys:], start=keys):
        needed = _widest(cell.split("\n") for cell in cells) + GAP
        if parts[-1] and needed > left:
            parts.append([])
            left = room
        parts[-1].append(place)
        left -= needed
    return [_table(names[:keys], [names[i] for i in part], rows, part) for part in parts]


def _widest(pieces: Iterable[Sequence[str]]) -> int:
    return max((cell_len(piece) for cell in pieces for piece in cell), default=0)


def _table(keys: Sequence[str], numbers: Sequence[str], rows: Sequence[Sequence[str]], part: Sequence[int]) -> Table:
    table = Table(box=SIMPLE)
    for name in keys:
        table.add_column(name, overflow="fold")
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*row[: len(keys)], *(row[place] for place in part))
    return table

"""What the cells of a heat map say: numbers as the tables write them, and names in full where an axis cuts them."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from babelscope.report.figures.names import BESIDE_CELLS, aliases
from babelscope.report.numbers import number
from babelscope.report.words import plain

MOST_CELLS = 10_000
"""Of a larger heat map, the texts would be most of the page: it is shown in plotly's own spelling, without them."""
NUMBER = re.compile(r"%\{z:(\+?\.\d[f%])\}")
"""A number in a hover text, with its format."""


def write_cells(values: np.ndarray, form: str) -> list[list[str]]:
    """Write every number of a heat map."""
    return [[number(value, form) for value in line] for line in values.tolist()]


def tell_cells(
    hover: str, values: np.ndarray, rows: Iterable[object], columns: Iterable[object], *, most: int = BESIDE_CELLS
) -> dict[str, Any]:
    """Make the hover texts of a heat map.

    Plotly writes a hyphen for a minus and "-0.00", and a shortened name as the axis has it: such numbers and names
    go with the cells, other ones are left to plotly, or the page would grow.

    Args:
        hover: how a cell reads, with %{y}, %{x} and one number such as %{z:+.3f}.
        values: rows x columns.
        rows: their names.
        columns: their names.
        most: letters that fit beside the axes.
    """
    if values.size > MOST_CELLS:
        return {"hovertemplate": f"{hover}<extra></extra>"}
    rows, columns = list(rows), list(columns)
    parts: dict[str, Sequence[Sequence[str]]] = {}
    if (found := NUMBER.search(hover)) and (found[1].startswith("+") or (values < 0).any()):
        parts[found[0]] = write_cells(values, found[1])
    if aliases([*rows, *columns], most):
        parts["%{y}"] = [[plain(row)] * len(columns) for row in rows]
        parts["%{x}"] = [[plain(column) for column in columns]] * len(rows)
    for place, part in enumerate(parts):
        hover = hover.replace(part, f"%{{hovertext[{place}]}}")
    told = {"hovertemplate": f"{hover}<extra></extra>"}
    if not parts:
        return told
    return told | {"hovertext": np.stack([np.array(part, dtype=object) for part in parts.values()], axis=-1).tolist()}

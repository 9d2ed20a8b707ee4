"""Bilingual dictionaries in their published layouts; the lab's own is `data.lab.dictionary`."""

import re
from dataclasses import dataclass
from pathlib import Path

from babelscope.data.reading import read_lines


@dataclass(frozen=True)
class Layout:
    """How a line holds one pair: source, target and, in some layouts, a score."""

    name: str
    separator: str
    """Regular expression."""
    scores: bool = False
    """Whether a number may follow."""


_ROWS = (
    # MUSE's files have one or the other, so no word of theirs has a space in it
    Layout("muse", r"[\t ]+"),
    Layout("xling-eval", r"\t"),
    Layout("panlex", r"\t", scores=True),
)
LAYOUTS: dict[str, Layout] = {row.name: row for row in _ROWS}


def read_dictionary(path: str | Path, *, layout: str = "muse") -> dict[str, set[str]]:
    """Read the translations of every source word, as they are written: case and normalization are kept.

    Args:
        path: UTF-8 file with one pair per line; a word with several translations has several lines.
        layout: muse (source and target separated by a tab or spaces; Conneau et al. 2018), xling-eval (by a tab;
            Glavaš et al. 2019) or panlex (by a tab, perhaps with a score after them; Vulić et al. 2019).

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the layout is unknown, a line does not have it, or there is no pair.
    """
    if layout not in LAYOUTS:
        raise ValueError(f"Expected `layout` to be one of {', '.join(LAYOUTS)}, but got {layout!r}; choose one")
    row, file = LAYOUTS[layout], Path(path).expanduser()
    translations: dict[str, set[str]] = {}
    for number, line in enumerate(read_lines(file), start=1):
        cells = [cell.strip() for cell in re.split(row.separator, line.strip(" "))]
        if row.scores and len(cells) == 3 and _is_number(cells[2]):
            cells = cells[:2]
        if len(cells) != 2 or not all(cells):
            raise ValueError(
                f"Expected a source and a target word in the layout {layout}, but got {line[:80]!r} in {file}, "
                f"line {number}; correct the line or choose another layout ({', '.join(LAYOUTS)})"
            )
        translations.setdefault(cells[0], set()).add(cells[1])
    if not translations:
        raise ValueError(f"Expected pairs of words, but {file} is empty; give another dictionary")
    return translations


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True

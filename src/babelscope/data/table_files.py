"""Rows of a table in any common format: CSV, TSV, JSON, JSON lines, Parquet, or a folder that `datasets` saved."""

import csv
import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from babelscope.data.json_lines import read_json_lines
from babelscope.data.reading import read_lines, refuse_compressed
from babelscope.data.sentence_alignment import unquote

QUOTED_WHOLE = re.compile(r'"(?:[^"]|"")*"')
Row = Mapping[str, Any]
"""A cell by the name of its column."""


def read_rows(path: Path) -> Sequence[Row]:
    """Read the rows of a table in order.

    Cells that hold a mapping, such as `translation` of WMT, become its keys: `en`, or `translation.en` where something
    else is called `en`, too.

    Raises:
        FileNotFoundError: if there is no such file or folder.
        ValueError: if its format is none of these, it cannot be read, or has no rows.
    """
    if not path.exists():
        raise FileNotFoundError(f"Expected a table, but found no file at {path}; correct the path")
    kind = "folder" if path.is_dir() else path.suffix.lower()
    if kind not in READERS:
        kinds = ", ".join(kind for kind in READERS if kind != "folder")
        raise ValueError(
            f"Expected a table that ends in one of {kinds}, or a folder that datasets saved, but got {path}; convert "
            "or decompress it"
        )
    rows = READERS[kind](path)
    if not rows:
        raise ValueError(f"Expected rows in {path}, but got none; check the file")
    return [_spread(row) for row in rows]


def _spread(row: Row) -> Row:
    inside = [(name, key) for name, cell in row.items() if isinstance(cell, Mapping) for key in cell]
    times = Counter(
        [*(name for name, cell in row.items() if not isinstance(cell, Mapping)), *(key for _, key in inside)]
    )
    spread = {name: cell for name, cell in row.items() if not isinstance(cell, Mapping)}
    return spread | {key if times[key] == 1 else f"{name}.{key}": row[name][key] for name, key in inside}


def _read_csv(path: Path) -> Sequence[Row]:
    lines = read_lines(path)
    if lines and ";" in lines[0] and "," not in lines[0]:
        raise ValueError(
            f"Expected commas between the cells of {path}, but its header has semicolons; save it with commas"
        )
    return _named(_quoted(lines, path, ","), path, "commas")


def _read_tsv(path: Path) -> Sequence[Row]:
    lines = read_lines(path)
    rows = [line.split("\t") for line in lines]
    if rows and all(QUOTED_WHOLE.fullmatch(cell) for cell in rows[0]):  # so is all of it then
        return _named(_quoted(lines, path, "\t"), path, "tabs")
    # quotes are text there, but where a CSV writer has had a reason for them
    return _named([[unquote(cell) for cell in cells] for cells in rows], path, "tabs")


def _quoted(lines: Sequence[str], path: Path, between: str) -> list[list[str]]:
    # no cell is longer than all of the file; what csv takes for too long by itself, some documents are
    before = csv.field_size_limit(sum(len(line) + 1 for line in lines))
    try:
        # with line ends, for those inside of quotes belong to the cell
        return list(csv.reader((f"{line}\n" for line in lines), delimiter=between, strict=True))
    except csv.Error as error:
        raise ValueError(f"Expected quoted cells in {path}, but got {error}; quote them as csv does") from error
    finally:
        csv.field_size_limit(before)


def _named(rows: list[list[str]], path: Path, between: str) -> Sequence[Row]:
    while rows and not any(rows[-1]):  # blank lines at the end
        rows.pop()
    header = rows[0] if rows else []
    twice = next((name for i, name in enumerate(header) if name in header[:i]), None)
    if twice is not None:
        raise ValueError(f"Expected every column once in the header of {path}, but got {twice!r} twice; rename one")
    for number, cells in enumerate(rows[1:], start=2):
        if len(cells) != len(header):
            raise ValueError(
                f"Expected {len(header)} cells separated by {between}, as in the header, but got {len(cells)} in "
                f"{path}, row {number}; correct this row"
            )
    return [dict(zip(header, cells, strict=True)) for cells in rows[1:]]


def _read_json(path: Path) -> Sequence[Row]:
    try:
        rows = json.loads("\n".join(read_lines(path)))
    except json.JSONDecodeError as error:
        raise ValueError(
            f"Expected a JSON list of objects in {path}, but got {error}; name files of an object per line .jsonl"
        ) from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError(f"Expected a JSON list of objects in {path}, but got {type(rows).__name__}; convert it")
    return rows


def _read_parquet(path: Path) -> Sequence[Row]:
    import pyarrow as pa
    from pyarrow import parquet

    refuse_compressed(path)
    try:
        return list(parquet.read_table(path).to_pylist())
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"Expected {path} to be a Parquet file, but got {_reason(error)}; fetch it again") from error


def _read_saved(path: Path) -> Sequence[Row]:
    import datasets

    try:
        found = datasets.load_from_disk(str(path))
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(
            f"Expected the folder {path} to be one that datasets saved, but got {_reason(error)}; give a file in it"
        ) from error
    if isinstance(found, datasets.DatasetDict):
        raise ValueError(
            f"Expected one split in {path}, but got {', '.join(found)}; write '{path}/{{split}}' as its file"
        )
    return list(found)


def _reason(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]


READERS: dict[str, Callable[[Path], Sequence[Row]]] = {
    ".csv": _read_csv,
    ".tsv": _read_tsv,
    ".json": _read_json,
    ".jsonl": read_json_lines,
    ".ndjson": read_json_lines,
    ".parquet": _read_parquet,
    "folder": _read_saved,
}
"""By the end of a file's name."""

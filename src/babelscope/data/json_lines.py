"""Read files of one JSON object per line, as most benchmarks are published."""

import json
from pathlib import Path
from typing import Any

from babelscope.data.reading import read_lines


def read_json_lines(path: Path) -> list[dict[str, Any]]:
    """Read the objects of a file in order; empty lines are skipped.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not UTF-8, a line is not a JSON object, or there is none.
    """
    rows = []
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise ValueError(
                f"Expected one JSON object per line, but {path}, line {number} is not ({error.msg}); correct this line."
            ) from error
        if not isinstance(row, dict):
            raise ValueError(
                f"Expected one JSON object per line, but got {line[:60]!r} in {path}, line {number}; correct this line."
            )
        rows.append(row)
    if not rows:
        raise ValueError(f"Expected one JSON object per line, but {path} is empty; fetch the file again.")
    return rows

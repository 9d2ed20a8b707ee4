"""A benchmark's published files in place of the Hub's data set."""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from babelscope.data.json_lines import read_json_lines


def published_paths(task: str, language: str, files: Mapping[str, str], folder: Path) -> dict[str, Path]:
    """Find the file of each of a task's splits.

    Args:
        task: Its name, for errors.
        language: The harness's own name of the language.
        files: File of each split below the folder, where {name} stands for that name; JSON lines.
        folder: The published folder.

    Raises:
        ValueError: if the benchmark has no such files, or one is missing.
    """
    if not files:
        raise ValueError(
            "Expected `data` with a benchmark whose published files can be read, such as harness=xcopa, but got "
            f"{folder} for {task!r}; leave it out, or name the files in a task file of your own, with include=FOLDER."
        )
    paths = {split: folder.expanduser() / pattern.format(name=language) for split, pattern in files.items()}
    missing = [str(path) for path in paths.values() if not path.is_file()]
    if missing:
        raise ValueError(
            f"Expected `data` to be a folder with {' and '.join(files.values())} as published, but {task!r} finds no "
            f"{missing[0]}; correct the path, or choose other languages."
        )
    return paths


def read_published(paths: Mapping[str, Path]) -> Callable[..., Any]:
    """Read the file of each split, checked; as a function, which the harness calls in place of the Hub.

    Raises:
        ValueError: if one is torn, or lacks a field in some line, or holds something of another kind there.
    """
    splits = {split: read_json_lines(path) for split, path in paths.items()}
    for split, rows in splits.items():
        _refuse_holes(paths[split], rows)
        _refuse_other_kinds(paths[split], rows)

    def read(**_: Any) -> Any:
        datasets = import_module("datasets")
        return datasets.DatasetDict({split: datasets.Dataset.from_list(rows) for split, rows in splits.items()})

    return read


def _refuse_holes(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Refuse a row that lacks a field of other rows; `datasets` would fill it with null and the harness would score it.

    Raises:
        ValueError: if there is one.
    """
    names = dict.fromkeys(name for row in rows for name in row)
    for number, row in enumerate(rows, start=1):
        for name in names:
            if name not in row:
                raise ValueError(
                    f"Expected every row of {path} to have the field {name!r}, but row {number} has none; correct it, "
                    "or fetch the file again."
                )


def _refuse_other_kinds(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Refuse a text where other rows have a number, and the like, for a data set has columns of one kind."""
    first: dict[str, tuple[int, Any]] = {}
    for number, row in enumerate(rows, start=1):
        for name, value in row.items():
            before, other = first.setdefault(name, (number, value))
            if other is None:
                first[name] = (number, value)
            elif value is not None and _kind(value) is not _kind(other):
                raise ValueError(
                    f"Expected every row of {path} to have the same kind of {name!r}, but got {value!r} in row "
                    f"{number} and {other!r} in row {before}; correct the wrong one, or fetch the file again."
                )


def _kind(value: Any) -> type:
    return float if type(value) is int else type(value)

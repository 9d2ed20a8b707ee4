"""Tidy rows in Parquet: the one form in which results exist on disk.

A run folder holds `run.yaml` (the composed config), `manifest.json` (what exactly was measured), `results/*.parquet`
and, once made, `report.html`.
"""

import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from dataclasses import replace as changed
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import yaml

from babelscope.files import whole_file
from babelscope.report.manifest import check_manifest

__all__ = [
    "COLUMNS",
    "THIRDS",
    "Run",
    "cut_in_thirds",
    "drop_later",
    "layer_key",
    "read",
    "read_head",
    "read_run",
    "run_folders",
    "sort_layers",
    "write",
    "write_step",
]

logger = logging.getLogger(__name__)
_FIELDS = [
    ("run", pa.string()),
    ("step", pa.int64()),
    ("epoch", pa.int64()),
    ("layer", pa.string()),
    ("metric", pa.string()),
    ("language", pa.string()),
    ("other", pa.string()),
    ("value", pa.float64()),
]
SCHEMA = pa.schema(_FIELDS)
COLUMNS: tuple[str, ...] = tuple(SCHEMA.names)
THIRDS = ("early", "middle", "last")
KEYS = ["run", "step", "layer", "metric", "language", "other"]
STRINGS = ["run", "layer", "metric", "language", "other"]
CODED = pa.schema([(name, pa.dictionary(pa.int32(), kind) if name in STRINGS else kind) for name, kind in _FIELDS])
"""The same, with every distinct string once."""


@dataclass(frozen=True)
class Run:
    """One run folder, read."""

    folder: Path
    config: Mapping[str, Any]
    """The composed config (run.yaml)."""
    manifest: Mapping[str, Any]
    """What exactly was measured (manifest.json); empty when the run has not written one."""
    rows: pd.DataFrame
    """All rows, sorted by step, layer, metric, language, other."""


def write(folder: Path, name: str, rows: Iterable[Mapping[str, Any]]) -> Path:
    """Write rows to `folder/results/NAME.parquet`; the same name again replaces them, so repeating a step is harmless.

    Raises:
        ValueError: the name is a path, or a row lacks a column or has one too many.
        OSError: the folder cannot be written or the disk is full; no part of the file stays.
    """
    if not name or name != Path(name).name or name.startswith("."):
        raise ValueError(f"Expected argument `name` to be a plain file name without extension, but got {name!r}.")
    rows = list(rows)
    for row in rows:
        if row.keys() != set(COLUMNS):
            raise ValueError(
                f"Expected argument `rows` to have exactly the columns {', '.join(COLUMNS)}, but got "
                f"{', '.join(map(str, row))}; use '' for a layer, language or other that does not apply."
            )
    table = pa.table({column: [_PLAIN[column](row[column]) for row in rows] for column in COLUMNS}, schema=SCHEMA)
    part = folder / "results" / f"{name}.parquet"
    # an open file, for Arrow takes a path with a colon for an address
    with whole_file(part) as temporary, temporary.open("wb") as file:
        pq.write_table(table, file, compression="zstd")
    return part


_PLAIN = {**dict.fromkeys(COLUMNS, str), "step": int, "epoch": int, "value": float}  # also unpacks 0-d tensors


def write_step(folder: Path, series: str, step: int, rows: Iterable[Mapping[str, Any]]) -> Path:
    """Write the rows of one step, in place of any there were.

    Args:
        folder: The run folder.
        series: What the rows are of, such as "layers".
        step: Optimizer steps so far.
        rows: As of `write`, which names the errors.
    """
    return write(folder, f"{series}-{step:08d}", rows)


def drop_later(folder: Path, series: str, step: int) -> None:
    """Remove what a training before this one in the folder has written after the step it goes on from, and say so.

    Args:
        folder: The run folder.
        series: As of `write_step`.
        step: Where this training goes on, whose own rows stay; 0 where it begins anew.
    """
    later = [part for part in sorted((folder / "results").glob(f"{series}-*.parquet")) if _step(part, series) > step]
    for part in later:
        part.unlink(missing_ok=True)
    if later:
        begins = f"goes on from step {step}" if step else "begins anew"
        logger.warning(
            "Training %s in %s, so the rows of %d later steps (%s) are removed.", begins, folder, len(later), series
        )


def _step(part: Path, series: str) -> int:
    number = part.stem.removeprefix(f"{series}-")
    return int(number) if number.isdecimal() else 0


def read(folder: Path, *, pairs: bool = True) -> pd.DataFrame:
    """Read all parts of a run's rows, sorted by step, layer (by depth), metric, language, other.

    Args:
        folder: the run folder.
        pairs: whether to keep the rows of two languages, which are most of all rows.

    Raises:
        ValueError: a part cannot be read or has other columns, or the same row is in two parts.
    """
    parts = [_read_part(path) for path in sorted((folder / "results").glob("*.parquet"))]
    table = pa.concat_tables(parts or [CODED.empty_table()]).unify_dictionaries()
    table = table if pairs else table.filter(pc.equal(table["other"], ""))
    keys = table.select(KEYS).to_pandas()
    if (twice := keys.duplicated()).any():
        row = ", ".join(f"{key}={value}" for key, value in keys.loc[twice].iloc[0].items() if value != "")
        raise ValueError(
            f"Expected every row once in {folder / 'results'}, but got {row} twice; remove one of the parts."
        )
    order = np.lexsort([*(_places(keys[name]) for name in ("other", "language", "metric", "layer")), keys["step"]])
    return table.take(pa.array(order)).cast(SCHEMA).to_pandas()


def _places(names: pd.Series) -> np.ndarray:
    """Place every name in the order of its column, by sorting the few distinct ones."""
    known = pd.Series(names.cat.categories.astype(str))
    keys = known.map(layer_key) if names.name == "layer" else known
    return keys.rank(method="dense").to_numpy()[names.cat.codes]


def _read_part(path: Path) -> pa.Table:
    """Read one part with its strings as numbers of distinct ones, as which they are on disk: a fourth of the time."""
    try:
        with pq.ParquetFile(path, read_dictionary=STRINGS) as file:
            return file.read(use_threads=False).select(COLUMNS).cast(CODED)
    except KeyError as error:
        lacks = [name for name in COLUMNS if name not in pq.read_schema(path).names]
        raise ValueError(
            f"Expected {path} to be rows of Babelscope, but it is another Parquet file, without the columns "
            f"{', '.join(lacks)}; move it out of the run folder."
        ) from error
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"Expected {path} to be a readable Parquet part, but got: {reason}; "
            "remove it to do without its step, or delete the run folder and run it again."
        ) from error


def read_run(folder: Path, *, pairs: bool = True) -> Run:
    """Read a run folder, with or without the rows of two languages.

    Raises:
        ValueError: the folder is not a run folder, or one of its files cannot be read.
    """
    return changed(read_head(folder), rows=read(folder, pairs=pairs))


def read_head(folder: Path) -> Run:
    """Read configuration and manifest of a run folder, which is quick, and leave its rows unread (empty).

    Raises:
        ValueError: the folder is not a run folder, or one of its files cannot be read.
    """
    if not _is_run(folder):
        raise ValueError(
            f"Expected {folder} to be a run folder with run.yaml and results/, but got {_contents(folder)}."
        )
    try:
        config = yaml.load((folder / "run.yaml").read_text(encoding="utf-8"), Loader=_Loader) or {}
        manifest = _read_json(folder / "manifest.json")
    except (yaml.YAMLError, json.JSONDecodeError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(
            f"Expected run.yaml and manifest.json in {folder} to be readable, but got: {reason}."
        ) from error
    if not (isinstance(config, Mapping) and isinstance(manifest, Mapping)):
        raise ValueError(f"Expected run.yaml and manifest.json in {folder} to be mappings, but got others; mend them.")
    check_manifest(manifest, folder)
    return Run(folder=folder, config=config, manifest=manifest, rows=SCHEMA.empty_table().to_pandas())


_Loader = getattr(
    yaml, "CSafeLoader", yaml.SafeLoader
)  # ten times as fast where libyaml is there: sweeps have hundreds


def run_folders(root: Path) -> list[Path]:
    """List the run folders at or under `root`, at any depth, sorted, without reading them.

    Raises:
        ValueError: there is none.
    """
    found = sorted(path.parent for path in root.rglob("run.yaml") if _is_run(path.parent))
    if not found:
        remedy = f"its folder, as runs={root.parent}" if root.is_file() else "a folder that holds runs, as runs=outputs"
        raise ValueError(
            f"Expected run folders (run.yaml and results/) under {root}, but got {_contents(root)}; give {remedy}."
        )
    return found


def cut_in_thirds(n: int) -> dict[str, range]:
    """Cut 0 to n - 1 into early, middle and last as evenly as possible, the earlier ones longer.

    Fewer than three leave the later thirds empty.
    """
    size, longer = divmod(n, 3)
    ends = [0, *(size * (i + 1) + min(i + 1, longer) for i in range(3))]
    return {third: range(ends[i], ends[i + 1]) for i, third in enumerate(THIRDS)}


def layer_key(layer: str) -> float:
    """Give the place of a layer in the order "" < "0" < "1" < ... < "10" < ... < "final"."""
    if not layer:
        return -1.0
    return float(layer) if layer.isdecimal() else float("inf")


def sort_layers(layers: Iterable[str]) -> list[str]:
    """Sort distinct layer names by depth; "final" is last and "" (no layer) is left out."""
    return sorted(set(layers) - {""}, key=lambda layer: (layer_key(layer), layer))


def _is_run(folder: Path) -> bool:
    return (folder / "run.yaml").is_file() and (folder / "results").is_dir()


def _read_json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _contents(folder: Path) -> str:
    if folder.is_file():
        return "a file"
    if not folder.is_dir():
        return "no such folder"
    names = sorted(path.name for path in folder.iterdir())
    return f"a folder with {', '.join(names[:4])}{', ...' if len(names) > 4 else ''}" if names else "an empty folder"

"""Scores of a probe's layers, kept as they are finished, so that a command that was killed goes on from them.

They lie beside `results/`, which readers take for rows whole, and only until all layers are scored.
"""

import inspect
import json
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from babelscope.files import whole_file
from babelscope.metrics.sample import LayerMetric, LayerSample, function_of
from babelscope.metrics.score import score
from babelscope.metrics.together import small_together

Samples = Iterable[tuple[str, LayerSample]]
ABOUT = b"babelscope"
"""What a file says of itself: all that its rows depend on, as a hash, its layers, and which metric wrote a column."""


def score_layers(
    folder: Path,
    key: Mapping[str, Any],
    layers: Sequence[str],
    others: Callable[[Sequence[str]], Samples],
    metrics: Mapping[str, LayerMetric],
    *,
    progress: Callable[[Samples, int], Samples],
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Score every layer that an earlier command with the same key has not.

    Args:
        folder: Run folder.
        key: What the scores depend on beside the metrics' code, which is added.
        layers: Names of all layers, in order.
        others: Gives the layers but for these with their samples, one at a time.
        metrics: As of `score`.
        progress: Wraps the samples, told how many layers are finished.

    Returns:
        The rows as `score` gives them, and the name of the metric of each column.
    """
    place, whole = place_of(folder), _hash({**key, "layers": [*layers], **_code_of(metrics)})
    rows, wrote, done = _read(place, whole, layers)
    if done:
        print(f"Resuming after {done} of {len(layers)} layers")
    for group in small_together(progress(others(layers[:done]), done)):
        columns: dict[str, str] = {}
        found = list(score(group, metrics, wrote=columns))
        about = {"key": whole, "layers": [layer for layer, _ in group], "wrote": columns}
        if done + len(group) < len(layers):  # the last ones are about to be written with all others
            _write(place / f"{done:03d}.parquet", found, about)
        rows, wrote, done = rows + found, wrote | columns, done + len(group)
    return rows, wrote


def forget_layers(folder: Path) -> None:
    """Remove what was kept, once the rows of all layers are in the run folder."""
    shutil.rmtree(place_of(folder), ignore_errors=True)


def place_of(folder: Path) -> Path:
    """Where the finished layers of an unfinished run lie."""
    return folder / "unfinished"


def _write(path: Path, rows: list[dict[str, Any]], about: Mapping[str, Any]) -> None:
    table = pa.Table.from_pylist(rows).replace_schema_metadata({ABOUT: json.dumps(about)})
    with whole_file(path) as temporary, temporary.open("wb") as file:
        pq.write_table(table, file, compression="zstd")


def _read(place: Path, key: str, layers: Sequence[str]) -> tuple[list[dict[str, Any]], dict[str, str], int]:
    """Read the first layers, as far as they are there with this key; whatever else is there is removed."""
    rows: list[dict[str, Any]] = []
    wrote: dict[str, str] = {}
    done = 0
    while (path := place / f"{done:03d}.parquet").is_file():
        try:
            table = pq.read_table(path, partitioning=None)
        except (pa.ArrowException, OSError):  # it is measured again
            break
        about = json.loads((table.schema.metadata or {}).get(ABOUT, b"{}"))
        if about.get("key") != key:  # of another command, and with it its layers
            break
        here = about["layers"]
        rows, wrote, done = rows + table.to_pylist(), wrote | about["wrote"], done + len(here)
    for path in place.glob("*.parquet"):
        if int(path.stem) >= done:
            path.unlink()
    return rows, wrote, done


def _code_of(metrics: Mapping[str, LayerMetric]) -> dict[str, Any]:
    """Tell what computes the scores: versions, and the files of the metrics, which users write, too."""
    files = {name: inspect.getsourcefile(_callable(metric)) for name, metric in metrics.items()}
    code = {name: sha256(Path(file).read_bytes()).hexdigest() for name, file in files.items() if file}
    return {"versions": [version(library) for library in ("babelscope", "torch", "numpy")], "code": code}


def _callable(metric: LayerMetric) -> Any:
    """Return what inspect knows a file of: a function, or the class of an object that is called."""
    function = function_of(metric)
    return function if inspect.isroutine(function) else type(function)


def _hash(whole: Mapping[str, Any]) -> str:
    return sha256(json.dumps(whole, sort_keys=True, default=str).encode()).hexdigest()

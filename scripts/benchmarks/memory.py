"""Peak memory of ILO of every layer of 33 x 30,907 x 4,096, read from disk one layer at a time.

Layers are made from a seed, a few different ones; the others are hard links to them, so that the disk holds a few and
the reader opens them all. The reader is a process of its own, which makes nothing.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from math import prod
from pathlib import Path

import torch

from babelscope.states.embed import Pooled
from babelscope.states.layer_file import create
from babelscope.states.store import StoredLayers
from benchmarks.data import points
from benchmarks.machine import peak_memory
from benchmarks.profile import ilo_of
from benchmarks.result import Check, Line, Settings, Skip

LIMIT = 3.0
"""GiB."""


def measure(settings: Settings) -> Iterator[Line]:
    layers, languages, sentences, width = (4, 5, 20, 32) if settings.quick else (33, 31, 997, 4096)
    each = 4 * prod((languages, sentences, width))
    with tempfile.TemporaryDirectory(dir=settings.scratch or None) as name:
        folder = Path(name)
        distinct = min(2, layers)
        room = shutil.disk_usage(folder).free
        if room < (distinct + 0.5) * each:
            raise Skip(f"{folder} has {room / 2**30:.1f} GiB left, {distinct * each / 2**30:.1f} are needed; --scratch")
        write(folder, layers, distinct, (languages, sentences, width))
        given = json.dumps([str(folder), layers, languages, sentences])
        command = [sys.executable, "-m", "benchmarks.memory", given]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)} ended with status {done.returncode}: {done.stderr[-2000:]}")
        found = json.loads(done.stdout)
    apart = 0.0
    for layer in range(distinct):
        x = points(languages, sentences, width, seed=layer).x
        expected = ilo_of(Pooled({"0": x}, *_names(languages, sentences)))
        scores = torch.tensor(found["ilo"][layer::distinct], dtype=torch.float64)
        apart = max(apart, float((scores - expected).abs().max()))
    yield Line(
        f"ILO of {layers} layers x {languages * sentences:,} x {width:,}, layer by layer from disk",
        f"{layers * each / 2**30:.1f} GiB in float32 at once",
        checks=[
            Check("peak memory, GiB", found["peak"], "<=", LIMIT),
            Check("difference to ILO from memory", apart, "==", 0),
        ],
        extras={"peak GiB": found["peak"], "GiB before the first layer": found["before"], "distinct layers": distinct},
    )


def write(folder: Path, layers: int, distinct: int, shape: tuple[int, int, int]) -> None:
    """Layer files as the store writes them, of languages, sentences and width."""
    count = shape[0] * shape[1]
    for layer in range(layers):
        file = folder / f"layer_{layer:03d}.npy"
        if layer < distinct:
            create(file, (count, shape[2])).put(torch.arange(count), points(*shape, seed=layer).x)
        else:
            file.hardlink_to(folder / f"layer_{layer % distinct:03d}.npy")


def read(folder: str, layers: int, languages: int, sentences: int) -> dict[str, object]:
    """Score every layer, and tell the peak memory of this process."""
    before = peak_memory()
    stored = StoredLayers(Path(folder), tuple(map(str, range(layers))))
    pooled = Pooled(stored, *_names(languages, sentences))
    scores = ilo_of(pooled).tolist()
    return {"before": before, "peak": peak_memory(), "ilo": scores}


def _names(languages: int, sentences: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return tuple(f"language {i}" for i in range(languages)), tuple(map(str, range(sentences)))


if __name__ == "__main__":
    print(json.dumps(read(*json.loads(sys.argv[1]))))

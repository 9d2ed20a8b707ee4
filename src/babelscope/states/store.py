"""Pooled states on disk, one file per layer, so that nothing is embedded twice and nothing stale is ever served.

The folder's name is a hash of everything the states depend on: weights, tokens, corpus, pooling, dtype, reading. A
folder is written under a temporary name and renamed when it is complete. Vectors are written as they arrive and read
back by layer or by columns. No memory map is used, because its pages would count as memory; so memory does not grow
with the number of sentences.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from babelscope.data.batches import Batch
from babelscope.files import whole_folder
from babelscope.models.parts import Parts
from babelscope.states.embed import Pooled, Prepared, Put, embed_into, measuring_device
from babelscope.states.finite import refuse_non_finite
from babelscope.states.layer_file import LayerFile, create
from babelscope.states.pool import Pool
from babelscope.states.progress import Progress
from babelscope.states.reading import STATES, Reading

FORMAT = 3
"""Part of the key; increased when the meaning of a stored layer changes, or the routine that computes it."""


class StoredLayers(Mapping[str, Tensor]):
    """Layers of one stored embedding, each read from disk when it is asked for."""

    def __init__(self, folder: Path, layers: tuple[str, ...]):
        self.folder, self.layers = folder, layers

    def __getitem__(self, layer: str) -> Tensor:
        file = self.file(layer)
        return file.columns(0, file.shape[1])

    def __iter__(self) -> Iterator[str]:
        return iter(self.layers)

    def __len__(self) -> int:
        return len(self.layers)

    def file(self, layer: str) -> LayerFile:
        """Open one layer for reading parts of it."""
        return LayerFile(_file(self.folder, layer))


def embed_once(
    store: Path,
    key: Mapping[str, Any],
    parts: Parts,
    prepared: Prepared,
    pool: Pool,
    *,
    reading: Reading = STATES,
    progress: Progress[Batch] = iter,
) -> Pooled:
    """Read the pooled states with this key from the store, or embed and keep them.

    Args:
        store: Folder that holds one folder per key.
        key: What the caller knows about their origin (weights hash, pooling, dtype); corpus, tokens, layers, device and
            reading are added.
        parts: Where the layers of the loaded model are.
        prepared: The tokenized corpus.
        pool: From token states to one vector.
        reading: What a layer holds.
        progress: Wraps the sequence of batches, for a progress bar.
    """
    corpus = prepared.corpus
    widths = reading.widths(parts)
    whole = {
        **key,
        "corpus": corpus.fingerprint(),
        "tokens": prepared.tokens,
        "layers": list(widths),
        "device": parts.device.type,
        "format": FORMAT,
    }
    if reading.name != STATES.name:  # states have no name in the key, as before other readings existed
        family = parts.family
        whole["reading"] = [reading.name, family.stack, family.blocks, family.ffn_out, family.ffn_gate]
    folder = store / hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()[:32]
    if not (folder / "manifest.json").exists():
        run = partial(embed_into, parts=parts, prepared=prepared, pool=pool, reading=reading, progress=progress)
        with whole_folder(folder, keep="manifest.json") as temporary:
            _write(temporary, prepared, widths, run)
            (temporary / "manifest.json").write_text(json.dumps(whole, indent=1))
    layers = StoredLayers(folder, tuple(widths))
    return Pooled(layers, tuple(corpus.languages), corpus.ids, measuring_device(parts))


def _write(folder: Path, prepared: Prepared, widths: Mapping[str, int], run: Callable[[Put], None]) -> None:
    languages, ids = tuple(prepared.corpus.languages), prepared.corpus.ids
    files = {layer: create(_file(folder, layer), (len(languages) * len(ids), width)) for layer, width in widths.items()}

    def put(layer: str, index: Tensor, vectors: Tensor) -> None:
        refuse_non_finite(vectors.isfinite().all(dim=1), index, layer=layer, languages=languages, ids=ids)
        files[layer].put(index, vectors)

    run(put)


def _file(folder: Path, layer: str) -> Path:
    return folder / f"layer_{layer:0>3}.npy"

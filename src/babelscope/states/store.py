"""Pooled states on disk, one file per layer, so that nothing is embedded twice and nothing stale is ever served.

The folder's name is a hash of everything the states depend on: weights, tokens, corpus, pooling, dtype. A folder is
written under a temporary name and renamed when it is whole.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from babelscope.data.folders import whole_folder
from babelscope.models.parts import Parts
from babelscope.states.embed import Pooled, Prepared, Progress, embed
from babelscope.states.pool import Pool

FORMAT = 1
"""Raised when the meaning of a stored layer changes: it is part of the key."""


class StoredLayers(Mapping[str, Tensor]):
    """Layers of one stored embedding, each read from disk when it is asked for."""

    def __init__(self, folder: Path, names: tuple[str, ...]):
        self.folder, self.names = folder, names

    def __getitem__(self, layer: str) -> Tensor:
        # a copy: the map is closed again, so memory holds one layer at a time
        return torch.from_numpy(np.load(_file(self.folder, layer)))

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


def embed_once(
    store: Path, key: Mapping[str, Any], parts: Parts, prepared: Prepared, pool: Pool, *, progress: Progress = iter
) -> Pooled:
    """Read the pooled states with this key from the store, or embed and keep them.

    Args:
        store: Folder that holds one folder per key.
        key: What the caller knows of their origin (weights hash, pooling, dtype); corpus, tokens and layers are added.
        parts: Where the layers of the loaded model are.
        prepared: The tokenized corpus.
        pool: From token states to one vector.
        progress: Wraps the sequence of batches, for a progress bar.
    """
    corpus = prepared.corpus
    whole = {
        **key,
        "corpus": corpus.fingerprint(),
        "tokens": prepared.tokens,
        "layers": list(parts.layers),
        "format": FORMAT,
    }
    folder = store / hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()[:32]
    if not (folder / "manifest.json").exists():
        _write(folder, whole, partial(embed, parts, prepared, pool, progress=progress))
    return Pooled(StoredLayers(folder, parts.layers), tuple(corpus.languages), corpus.ids)


def _write(folder: Path, key: Mapping[str, Any], run: Callable[..., Pooled]) -> None:
    with whole_folder(folder) as temporary:

        def allocate(layer: str, shape: tuple[int, int]) -> Tensor:
            file = _file(temporary, layer)
            states = np.lib.format.open_memmap(file, mode="w+", dtype=np.float32, shape=shape)
            with file.open("r+b") as whole:  # a full disk is an OSError here; through the map it would kill the process
                os.posix_fallocate(whole.fileno(), 0, file.stat().st_size)
            return torch.from_numpy(states)

        for _ in run(allocate=allocate).samples():
            pass  # refuses states that are not finite before anything is kept
        (temporary / "manifest.json").write_text(json.dumps(key, indent=1))


def _file(folder: Path, layer: str) -> Path:
    return folder / f"layer_{layer:0>3}.npy"

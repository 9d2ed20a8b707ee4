"""Neighbours of many tokens in blocks on disk: memory does not grow with them, and an interrupted search goes on."""

import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from babelscope.analyses.tokens.neighbours import TokenNeighbours
from babelscope.analyses.tokens.token_rows import TokenRows
from babelscope.files import whole_folder
from babelscope.metrics.search.table_neighbours import BATCH, table_neighbours

Found = tuple[Tensor, Tensor, Tensor]
BlockProgress = Callable[[Iterable[Found], int, int], Iterable[Found]]
"""Wraps the blocks still to be found, for a progress bar; told how many there are in all, and how many are done."""
FORMAT = 1
"""Raised when the meaning of a stored block changes: it is part of the key."""


def _silent(blocks: Iterable[Found], total: int, done: int) -> Iterable[Found]:
    return blocks


def find_blocks(
    tokens: TokenRows,
    ids: Tensor,
    k: int,
    *,
    store: Path,
    nearest: int,
    batch: int = BATCH,
    progress: BlockProgress = _silent,
) -> list[TokenNeighbours]:
    """Find the k nearest other tokens of every id, exactly, unless the store has them; each finished block is kept.

    Args:
        tokens: Tokens in use.
        ids: (n,) tokens whose neighbours are sought.
        k: Neighbours per token.
        store: Folder that belongs to this table alone, as one named by the table's hash does.
        nearest: How many of the nearest keep their distance.
        batch: Tokens per block; changes no result.
        progress: For a progress bar.

    Returns:
        The blocks in order of `ids`, memory-mapped.

    Raises:
        ValueError: if k does not fit the tokens in use or an id is not among them.
        OSError: if the store cannot be written; what was finished stays.
    """
    key = json.dumps([_hash(tokens.ids), _hash(ids), k, "cosine", nearest, batch, FORMAT])
    folder = store / f"neighbours-{hashlib.sha256(key.encode()).hexdigest()[:32]}"
    blocks = ids.split(batch)
    places = [folder / f"block-{number:06d}" for number in range(len(blocks))]
    missing = [number for number, place in enumerate(places) if not place.exists()]
    if missing:  # all of one size, but perhaps the last, so that the search returns just these
        queries = torch.cat([blocks[number] for number in missing])
        stream = table_neighbours(tokens.table, queries, k, rows=tokens.ids, batch=batch)
        bar = progress(stream, len(blocks), len(blocks) - len(missing))
        for (_, distances, neighbours), number in zip(bar, missing, strict=True):
            with whole_folder(places[number]) as temporary:
                np.save(temporary / "distances.npy", distances[:, :nearest].float().numpy())
                np.save(temporary / "neighbours.npy", neighbours.int().numpy())
    return [
        TokenNeighbours(block, _map(place / "distances.npy"), _map(place / "neighbours.npy"))
        for block, place in zip(blocks, places, strict=True)
    ]


def _map(file: Path) -> Tensor:
    return torch.from_numpy(np.load(file, mmap_mode="c"))  # copy on write: torch asks for what can be written


def _hash(ids: Tensor) -> str:
    return hashlib.sha256(ids.numpy().tobytes()).hexdigest()

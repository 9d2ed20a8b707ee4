"""Exact cosine neighbours of some rows of a large table, which is read in blocks and never copied."""

from collections.abc import Iterator

import torch
from torch import Tensor

from babelscope.metrics.neighbours import MARGIN
from babelscope.metrics.precision import full_precision
from babelscope.metrics.search.points import Points, square_root, sum_folded
from babelscope.metrics.search.rerank import rerank

BLOCK = 2048
BATCH = 4096
CHUNK = 2**17
"""Numbers converted to float64 at a time: 1 MiB, to stay in cache."""
RERANKED = 2**26
"""Numbers in the candidates that `rerank` compares in float64 at once: 512 MiB."""


@torch.no_grad()
def table_neighbours(
    x: Tensor, queries: Tensor, k: int, *, rows: Tensor | None = None, batch: int = BATCH, block: int = BLOCK
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yield the k nearest rows of every query, batch by batch, as `nearest_neighbours` of the used rows would.

    The table is read once at the start and once per batch; a caller that keeps what was yielded can resume from there.

    Args:
        x: (V, D) table in any floating type, perhaps memory-mapped.
        queries: (n,) rows whose neighbours are sought, all of them in `rows`.
        k: Neighbours per query, smaller than the number of rows used.
        rows: (N,) rows that may be neighbours, without zero rows; all if omitted.
        batch: Queries per pass over the table, which bounds memory; changes no result.
        block: Rows multiplied at a time; changes no result.

    Yields:
        (B,) queries, (B, k) float64 distances (1 - cosine), ascending, and (B, k) int64 rows of the table.

    Raises:
        ValueError: if k does not fit, a row is zero or not finite, or a query is not among the rows.
    """
    rows = torch.arange(len(x)) if rows is None else rows.sort().values
    if not 1 <= k < len(rows):
        raise ValueError(
            f"Expected argument `k` to be at least 1 and smaller than the number of tokens in use, but got k={k} with "
            f"{len(rows)} tokens; lower k"
        )
    points = _prepare(x, rows)
    if bool(points.length[queries].isnan().any()):
        raise ValueError("Expected argument `queries` to be among the rows in use; leave out the others")
    n_candidates = min(k + MARGIN + 1, len(rows))
    for chunk in queries.split(batch):
        scores, candidates = _candidates(points, chunk, rows, n_candidates, block)
        step = max(1, RERANKED // (n_candidates * x.shape[1]))
        parts = [
            rerank(points, *part, k)
            for part in zip(chunk.split(step), candidates.split(step), scores.split(step), strict=True)
        ]
        yield chunk, torch.cat([part[0] for part in parts]), torch.cat([part[1] for part in parts])


def _prepare(x: Tensor, rows: Tensor) -> Points:
    """Prepare the whole table, in its own type; an unused row has length NaN, so that no comparison selects it."""
    length = torch.full((len(x),), torch.nan, dtype=torch.float64)
    total = torch.zeros(x.shape[1], dtype=torch.float64)
    for chunk in _chunks(rows, x.shape[1]):
        values = x.index_select(0, chunk).double()
        norm = square_root(sum_folded(values.square()))
        if bool((~norm.isfinite() | (norm == 0)).any()):
            row = int(chunk[(~norm.isfinite() | (norm == 0)).nonzero()[0, 0]])
            raise ValueError(f"Expected rows with a direction, but row {row} is zero or not finite; leave it out")
        length[chunk] = norm
        total += norm.reciprocal() @ values
    return Points(
        x=x,
        length=length,
        zero=torch.zeros(len(x), dtype=torch.bool),
        centre=total / len(rows),
        scale=1.0,
        p=torch.empty(0),
        size=torch.zeros(len(x), dtype=torch.float64),  # filled by the first pass over the table
        distance="cosine",
        kin=torch.arange(len(x)),
    )


def _chunks(rows: Tensor, width: int) -> tuple[Tensor, ...]:
    return rows.split(max(1, CHUNK // width))


def _centred(points: Points, rows: Tensor) -> Tensor:
    width = points.x.shape[1]
    p = torch.empty(len(rows), width)
    for chunk, part in zip(_chunks(rows, width), p.split(max(1, CHUNK // width)), strict=True):
        values = points.x.index_select(0, chunk).double().div_(points.length[chunk].unsqueeze(1))
        part.copy_(values.sub_(points.centre))
    return p


def _candidates(points: Points, queries: Tensor, rows: Tensor, n_candidates: int, block: int) -> tuple[Tensor, Tensor]:
    """Return (B, few) float32 scores, descending, and their rows; no other row scores above the last one."""
    best = torch.full((len(queries), n_candidates), -torch.inf)
    index = torch.zeros(len(queries), n_candidates, dtype=torch.int64)
    own = _centred(points, queries)
    with full_precision(points.x.device):
        for chunk in rows.split(block):
            p = _centred(points, chunk)
            size = torch.linalg.vector_norm(p, dim=1, dtype=torch.float64)
            points.size[chunk] = size
            scores = torch.addmm(-(size.square() / 2).float(), own, p.T)
            # The rows are sorted, so a query's own column is found by search.
            column = torch.searchsorted(chunk, queries).clamp(max=len(chunk) - 1)
            mine = chunk[column] == queries
            scores[mine.nonzero().flatten(), column[mine]] = -torch.inf
            best, index = _merge(best, index, scores, chunk)
    return best, index


def _merge(best: Tensor, index: Tensor, scores: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Merge the scores (B, n) above the last of best (B, few); after the first blocks, few are above it."""
    n_candidates = best.shape[1]
    above = scores > best[:, -1:]
    counts = above.sum(1)
    width = int(counts.max())
    if width > n_candidates:
        near = scores.topk(min(n_candidates, len(rows)))
        values, others = near.values, rows[near.indices]
    else:  # put a list of pairs into a few columns
        query, column = above.nonzero(as_tuple=True)
        place = torch.arange(len(query)) - (counts.cumsum(0) - counts)[query]
        values = torch.full((len(best), width), -torch.inf)
        others = torch.zeros(len(best), width, dtype=torch.int64)
        values[query, place], others[query, place] = scores[query, column], rows[column]
    best, order = torch.cat([best, values], dim=1).topk(n_candidates)
    return best, torch.cat([index, others], dim=1).gather(1, order)

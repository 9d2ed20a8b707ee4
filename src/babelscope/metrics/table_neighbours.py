"""Exact cosine neighbours of some rows of a large table, which is read in blocks and never copied."""

from collections.abc import Iterator

import torch
from torch import Tensor

from babelscope.metrics.neighbours import MARGIN
from babelscope.metrics.precision import full_precision
from babelscope.metrics.rerank import Points, rerank, sum_folded

BLOCK = 2048


@torch.no_grad()
def table_neighbours(
    x: Tensor, queries: Tensor, k: int, *, rows: Tensor | None = None, batch: int = 512, block: int = BLOCK
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yield the k nearest rows of every query, batch by batch, as `nearest_neighbours` of the used rows would.

    Each batch reads the table once; a caller that keeps what was yielded can go on from there.

    Args:
        x: (V, D) table in any floating type, perhaps memory-mapped.
        queries: (n,) rows whose neighbours are sought, all of them in `rows`.
        k: Neighbours per query, smaller than the number of rows used.
        rows: (N,) rows that may be neighbours, without zero rows; all if omitted.
        batch: Queries per pass over the table; changes no result.
        block: Rows cast at a time; changes no result.

    Yields:
        (B,) queries, (B, k) float64 distances (1 - cosine), ascending, and (B, k) int64 rows of the table.

    Raises:
        ValueError: If k does not fit, a row is zero or not finite, or a query is not among the rows.
    """
    rows = torch.arange(len(x)) if rows is None else rows.sort().values
    if not 1 <= k < len(rows):
        raise ValueError(
            f"Expected argument `k` to be at least 1 and smaller than the number of tokens in use, but got k={k} with "
            f"{len(rows)} tokens; lower k"
        )
    points = _prepare(x, rows, block)
    if bool(points.length[queries].isnan().any()):
        raise ValueError("Expected argument `queries` to be among the rows in use; leave out the others")
    few = min(k + MARGIN + 1, len(rows))
    for some in queries.split(batch):
        scores, candidates = _candidates(points, some, rows, few, block)
        yield some, *rerank(points, some, candidates, scores, k)


def _prepare(x: Tensor, rows: Tensor, block: int) -> Points:
    """Points over the whole table, in its own type; the length of an unused row is NaN, so nothing compares with it."""
    length = torch.full((len(x),), torch.nan, dtype=torch.float64)
    total = torch.zeros(x.shape[1], dtype=torch.float64)
    for some in rows.split(block):
        values = x[some].double()
        norm = sum_folded(values.square()).sqrt()
        if bool((~norm.isfinite() | (norm == 0)).any()):
            row = int(some[(~norm.isfinite() | (norm == 0)).nonzero()[0, 0]])
            raise ValueError(f"Expected rows with a direction, but row {row} is zero or not finite; leave it out")
        length[some] = norm
        total += (values / norm.unsqueeze(1)).sum(0)
    size = torch.zeros(len(x), dtype=torch.float64)
    points = Points(
        x=x,
        length=length,
        zero=torch.zeros(len(x), dtype=torch.bool),
        centre=total / len(rows),
        scale=1.0,
        p=torch.empty(0),
        size=size,
        distance="cosine",
    )
    for some in rows.split(block):
        size[some] = _centred(points, some).double().square().sum(1).sqrt()
    return points


def _centred(points: Points, rows: Tensor) -> Tensor:
    return (points.directions(rows) - points.centre).float()


def _candidates(points: Points, queries: Tensor, rows: Tensor, few: int, block: int) -> tuple[Tensor, Tensor]:
    """(B, few) float32 scores, descending, and the rows that have them; no row left out scores above the last."""
    best = torch.empty(len(queries), 0)
    index = torch.empty(len(queries), 0, dtype=torch.int64)
    half = points.half_squares
    own = _centred(points, queries)
    with full_precision(points.x.device):
        for some in rows.split(block):
            scores = torch.addmm(-half[some], own, _centred(points, some).T)
            # Both are sorted, so a query's own column is found by search.
            column = torch.searchsorted(some, queries).clamp(max=len(some) - 1)
            mine = some[column] == queries
            scores[mine.nonzero().flatten(), column[mine]] = -torch.inf
            near = scores.topk(min(few, len(some)))
            best = torch.cat([best, near.values], dim=1)
            index = torch.cat([index, some[near.indices]], dim=1)
            best, order = best.topk(min(few, best.shape[1]))
            index = index.gather(1, order)
    return best, index

"""From pairs of near points to exact neighbours: float64 distances of the few pairs that bounds cannot exclude."""

import torch
from torch import Tensor

from babelscope.metrics.search.points import DOUBLE, Points, exact_distances, lengths_between, scaled_differences
from babelscope.metrics.search.products import Coded
from babelscope.metrics.search.symmetric import Pairs, is_closed

ROWS = 4096
"""Rows settled at a time."""


def settle(points: Points, coded: Coded, pairs: Pairs, k: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return the k nearest of every row for which the pairs prove them, ordered by (distance, index).

    The k pairs with the lowest keys give an upper bound of the k-th distance. Every other pair whose key does not
    exclude it from this bound is measured too. A row is settled if all such pairs are known.

    Args:
        points: N prepared points.
        coded: The same points, coded.
        pairs: Pairs of coded rows.
        k: Neighbours per point.

    Returns:
        (N, k) float64 distances and (N, k) int64 indices, and (N,) whether each row is settled; the values of other
        rows are undefined.
    """
    count = len(points.x)
    distances = points.length.new_zeros(count, k)
    indices = coded.order.new_zeros(count, k)
    settled = torch.zeros(count, dtype=torch.bool, device=coded.order.device)
    zeros = points.zero.any()
    order = pairs.row.argsort(stable=True)
    counts = torch.bincount(pairs.row, minlength=count)
    end = counts.cumsum(0)
    for rows in torch.arange(count, device=order.device).split(ROWS):
        enough = (counts[rows] >= k) & ~is_closed(pairs.bound[rows])
        pair = order[int(end[rows[0]] - counts[rows[0]]) : int(end[rows[-1]])]
        row, column, key = pairs.row[pair] - rows[0], pairs.column[pair], pairs.key[pair]
        place = torch.arange(len(pair), device=order.device) - (end - counts)[rows][row] + (end - counts)[rows[0]]
        table = key.new_full((len(rows), max(k, int(counts[rows].max()))), torch.iinfo(key.dtype).max)
        table[row, place] = key
        first = table.topk(k, largest=False)
        # A row with too few pairs is not settled; an arbitrary pair stands in for those that are missing.
        start = (end - counts)[rows].unsqueeze(1) - (end - counts)[rows[0]]
        chosen = torch.where(enough.unsqueeze(1), start + first.indices, 0)
        if not len(pair):
            continue
        own, others = coded.order[rows], coded.order[column[chosen]]
        others = others.sort(dim=1).values
        nearest, by = exact_distances(points, own, others).sort(dim=1, stable=True)
        others = others.gather(1, by)
        slack = 1 + (points.x.shape[1] + 16) * DOUBLE
        reach = scaled_differences(points, nearest[:, -1]) * slack
        bound = coded.key_within(slice(int(rows[0]), int(rows[-1]) + 1), reach)
        # Rows without a direction are encoded as far from everything, but their cosine distance is 1.
        enough &= (bound <= pairs.bound[rows]) & ((nearest[:, -1] < 1) | ~zeros)
        taken = torch.zeros_like(pair, dtype=torch.bool)
        taken[chosen[enough]] = True
        more = ((key <= bound[row]) & enough[row] & ~taken).nonzero().squeeze(1)
        more = more[lengths_between(points, own[row[more]], coded.order[column[more]]) <= reach[row[more]]]
        other = coded.order[column[more]]
        extra = (
            exact_distances(points, own[row[more]], other.unsqueeze(1)).squeeze(1)
            if len(more)
            else nearest.new_empty(0)
        )
        kept = (extra <= nearest[row[more], -1]).nonzero().squeeze(1)
        merge(nearest, others, row[more[kept]], extra[kept], other[kept])
        distances[own], indices[own], settled[own] = nearest, others, enough
    return distances, indices, settled


def merge(nearest: Tensor, indices: Tensor, row: Tensor, distance: Tensor, index: Tensor) -> None:
    """Merge single pairs (P,), sorted by row, into the k nearest (B, k) of their rows, in place."""
    rows, counts = torch.unique_consecutive(row, return_counts=True)
    if not len(rows):
        return
    width = int(counts.max())
    place = torch.arange(len(row), device=row.device) - (counts.cumsum(0) - counts).repeat_interleave(counts)
    line = torch.arange(len(rows), device=row.device).repeat_interleave(counts)
    values, names = nearest.new_full((len(rows), width), torch.inf), indices.new_zeros(len(rows), width)
    values[line, place], names[line, place] = distance, index
    values, names = torch.cat([nearest[rows], values], dim=1), torch.cat([indices[rows], names], dim=1)
    names, order = names.sort(dim=1)
    values, by = values.gather(1, order).sort(dim=1, stable=True)
    k = nearest.shape[1]
    nearest[rows], indices[rows] = values[:, :k], names.gather(1, by)[:, :k]

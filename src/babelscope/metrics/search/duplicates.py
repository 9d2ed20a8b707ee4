"""Points with more copies than wanted neighbours: the neighbours are copies, at distance zero, in index order."""

import torch
from torch import Tensor

from babelscope.metrics.search.points import PAIR_ELEMENTS, Points, sum_folded


def copies(points: Points, k: int) -> tuple[Tensor, Tensor]:
    """Find points with enough copies to fill k neighbours without any kin, as in a collapsed layer.

    Args:
        points: N prepared points; two points are at distance zero exactly if their `directions` are equal.
        k: Neighbours per point.

    Returns:
        (R,) rows, and (R, k) the lowest indices of points that coincide with each row and count as its neighbours.
    """
    device, width = points.x.device, points.x.shape[1]
    every = torch.arange(len(points.x), device=device)
    weights = torch.randn(width, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).to(device)
    step = max(1, PAIR_ELEMENTS // width)
    # A number for each point, bit-identical for copies; points with equal numbers are compared below.
    mark = torch.cat([sum_folded(points.directions(rows).mul_(weights)) for rows in every.split(step)])
    order = mark.argsort(stable=True)
    _, counts = torch.unique_consecutive(mark[order], return_counts=True)
    first = counts.cumsum(0) - counts
    n_candidates = k + points.largest
    chosen = (counts >= n_candidates).repeat_interleave(counts)
    start, rows = first.repeat_interleave(counts)[chosen], order[chosen]
    same = torch.ones_like(rows, dtype=torch.bool)
    for chunk, heads, out in zip(rows.split(step), order[start].split(step), same.split(step), strict=True):
        out.copy_((points.directions(chunk) == points.directions(heads)).all(1))
    # If a point with the same number is not a copy, the whole group is left to the search.
    bad = torch.zeros(len(every), dtype=torch.bool, device=device).index_fill_(0, start[~same], value=True)
    kept = ~bad[start]
    rows, first = rows[kept], start[kept]
    indices = torch.empty(len(rows), k, dtype=torch.int64, device=device)
    ahead = torch.arange(n_candidates, device=device)
    for chunk, heads, out in zip(rows.split(step), first.split(step), indices.split(step), strict=True):
        out.copy_(lowest(points, chunk, order[heads.unsqueeze(1) + ahead], k))
    return rows, indices


def lowest(points: Points, rows: Tensor, others: Tensor, k: int) -> Tensor:
    """Return the first k (R, k) of `others` (R, m) that count as neighbours of rows (R,)."""
    counts = points.kin[others] != points.kin[rows].unsqueeze(1)
    return others[counts & (counts.cumsum(1) <= k)].view(-1, k)

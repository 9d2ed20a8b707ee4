"""Points with more copies than neighbours wanted: their neighbours are copies, at distance zero, in order of index."""

import torch
from torch import Tensor

from babelscope.metrics.rerank import PAIR_ELEMENTS, Points, sum_folded


def copies(points: Points, k: int) -> tuple[Tensor, Tensor]:
    """Find all points that coincide with at least k others, as many do where a layer collapses.

    Args:
        points: N prepared points; those with the same `directions` are at distance zero, and no others are.
        k: Neighbours per point.

    Returns:
        (R,) rows and (R, k) the lowest indices of other points that coincide with each.
    """
    device, width = points.x.device, points.x.shape[1]
    every = torch.arange(len(points.x), device=device)
    weights = torch.randn(width, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).to(device)
    step = max(1, PAIR_ELEMENTS // width)
    # A number for each point, the same bits for copies; what only looks the same is compared below.
    mark = torch.cat([sum_folded(points.directions(rows).mul_(weights)) for rows in every.split(step)])
    order = mark.argsort(stable=True)
    _, many = torch.unique_consecutive(mark[order], return_counts=True)
    first = many.cumsum(0) - many
    chosen = (many > k).repeat_interleave(many)
    start, rows = first.repeat_interleave(many)[chosen], order[chosen]
    place = torch.arange(len(every), device=device)[chosen] - start
    same = torch.ones_like(rows, dtype=torch.bool)
    for some, heads, out in zip(rows.split(step), order[start].split(step), same.split(step), strict=True):
        out.copy_((points.directions(some) == points.directions(heads)).all(1))
    # Where one of the same mark is no copy, the whole group is left to a search.
    bad = torch.zeros(len(every), dtype=torch.bool, device=device).index_fill_(0, start[~same], value=True)
    kept = ~bad[start]
    ahead = torch.arange(k, device=device)
    ahead = ahead + (ahead >= place[kept].unsqueeze(1))
    return rows[kept], order[start[kept].unsqueeze(1) + ahead]

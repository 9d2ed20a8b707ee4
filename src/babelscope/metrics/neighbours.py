"""Exact nearest neighbours in blocks: no N x N matrix, self excluded by index, ties by (distance, index)."""

import torch
from torch import Tensor

from babelscope.metrics.precision import full_precision
from babelscope.metrics.rerank import Distance, prepare, rerank

MARGIN = 8  # candidates beyond k, so that float32 rounding rarely leaves a row in doubt


@torch.no_grad()
def nearest_neighbours(x: Tensor, k: int, *, distance: Distance = "cosine", block: int = 2048) -> tuple[Tensor, Tensor]:
    """Return the k nearest other points of every point, as a float64 search of all pairs would.

    Candidates come from float32 products; their distances are computed again in float64 from the float32 inputs, and
    rows whose rounding bound leaves a doubt are searched in float64. Memory grows with `block` x N.

    Args:
        x: (N, D) float32 points. Under cosine a zero row has distance 1 to every point.
        k: Neighbours per point, 1 <= k < N.
        distance: "cosine" (1 - cosine) or "euclidean".
        block: Rows multiplied at a time; changes no result.

    Returns:
        (N, k) float64 distances, ascending, and (N, k) int64 indices; equal distances are in order of index.

    Raises:
        ValueError: If x is not finite (N, D) float32, k does not fit N, or the distance is unknown.
    """
    if block < 1:
        raise ValueError(f"Expected argument `block` to be at least 1, but got {block}; leave the default")
    points = prepare(x, k, distance)
    if bool((x == x[:1]).all()):
        return _all_equal(points.zero, k)
    few = min(k + MARGIN + 1, len(x))
    minus = -points.half_squares
    found = []
    with full_precision(x.device):
        for rows in torch.arange(len(x), device=x.device).split(block):
            scores = torch.addmm(minus, points.p[rows], points.p.T)
            scores[torch.arange(len(rows), device=x.device), rows] = -torch.inf
            best = scores.topk(few)
            found.append(rerank(points, rows, best.indices, best.values, k))
    return torch.cat([distances for distances, _ in found]), torch.cat([indices for _, indices in found])


def _all_equal(zero: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Neighbours where all points are one, as in a collapsed layer: the lowest other indices."""
    rows = torch.arange(len(zero), device=zero.device).unsqueeze(1)
    indices = torch.arange(k, device=zero.device).expand(len(zero), k)
    return zero.double().unsqueeze(1).expand(-1, k).contiguous(), indices + (indices >= rows)

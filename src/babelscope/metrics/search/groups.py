"""Groups so far from all other points that the neighbours of their points are among themselves."""

import torch
from torch import Tensor

from babelscope.metrics.search.centres import find_centres
from babelscope.metrics.search.points import DOUBLE, PAIR_ELEMENTS, SINGLE, TINY, Points

SLACK = 1e-6
"""Relative margin for the rounding of float64 distances, which decides between equally far points."""


def separate_groups(points: Points, k: int) -> list[tuple[Tensor, Tensor]]:
    """Find groups in which most points have all k neighbours.

    Let a group have k neighbours of any of its points within r of its centre, and all other points beyond t. Then a
    point at a from the centre has k neighbours within a + r, and all points outside are farther than t - a: if 2 a + r
    is less than t, its neighbours are in the group.

    Args:
        points: N prepared points.
        k: Neighbours per point.

    Returns:
        For each group its rows (B,), ascending, and (B,) whether the k nearest of each row are provably among them.
    """
    # Looser groups are rarely separate, so those that the coarsest products need serve here too.
    centres = find_centres(points.p, torch.bfloat16)
    if len(centres) == 1:
        return []
    own, inside, beyond = _distances(points, centres)
    moved = 1.01 * SINGLE * float(points.size.max()) + points.p.shape[1] * TINY  # from each point to its p
    groups = []
    for centre in range(len(centres)):
        rows = (own == centre).nonzero().squeeze(1)
        # Of the nearest, one is the row itself, and others may be its kin.
        n_needed = k + points.largest
        if not n_needed <= len(rows) < len(own):
            continue
        # Of rows without a direction, only the cosine distance, which is 1, is known.
        away = inside[rows].masked_fill(points.zero[rows], torch.inf)
        reach = away + away.kthvalue(n_needed).values
        near = reach + away < beyond[centre] * (1 - SLACK) - 5 * moved
        near &= ~points.zero[rows] & ((reach * points.scale < 1.4) | ~points.zero.any())
        if int(near.sum()) * 2 > len(rows):
            groups.append((rows, near))
    return groups


def _distances(points: Points, centres: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return each point's nearest centre (N,) and an upper bound of the distance to it (N,) float64.

    With them, for each centre, a lower bound (K,) of the distance to all points for which it is not the nearest.
    """
    count, width = points.p.shape
    exact = centres.double()
    squares = exact.square().sum(1)
    own, inside = points.kin.new_empty(count), points.size.new_empty(count)
    beyond = torch.full_like(squares, torch.inf)
    error = 4 * (width + 4) * DOUBLE * float(points.size.max() + squares.sqrt().max()) ** 2
    for rows in torch.arange(count, device=own.device).split(max(1, PAIR_ELEMENTS // width)):
        p = points.p[rows]
        apart = torch.addmm(squares, p.double(), exact.T, alpha=-2).add_(points.size[rows].square().unsqueeze(1))
        own[rows] = nearest = apart.argmin(1)
        inside[rows] = torch.linalg.vector_norm(p - centres[nearest], dim=1, dtype=torch.float64)
        apart.scatter_(1, nearest.unsqueeze(1), torch.inf)
        beyond = torch.minimum(beyond, apart.amin(0))
    return own, inside * (1 + 2 * SINGLE), (beyond - error).clamp(min=0).sqrt()

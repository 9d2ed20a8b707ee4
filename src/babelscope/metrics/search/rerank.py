"""From fast candidates to exact neighbours: float64 distances, and a proof per row that no other point is nearer."""

import torch
from torch import Tensor

from babelscope.metrics.search.points import (
    DOUBLE,
    PAIR_ELEMENTS,
    SINGLE,
    TINY,
    Points,
    exact_distances,
    scaled_differences,
)

ROWS = 512  # rows per chunk of the float64 search


def rerank(points: Points, rows: Tensor, candidates: Tensor, scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Return the k nearest of each row exactly, ordered by (distance, index).

    Args:
        points: N prepared points.
        rows: (B,) indices of the points whose neighbours are sought.
        candidates: (B, m) indices, m > k, by descending score; no omitted point scores above the last one, and the row
            itself and its kin are omitted or come last.
        scores: (B, m) scores p_i . p_j - |p_j|^2 / 2, computed in float32 in any order of summation.
        k: Neighbours to keep.

    Returns:
        (B, k) float64 distances and (B, k) int64 indices.
    """
    count, width = scores.shape
    distances = points.length.new_empty(count, k)
    indices = torch.empty_like(candidates[:, :k])
    doubtful = torch.arange(count, device=rows.device)
    reach = points.length.new_empty(count)
    # Most rows are settled by their first k candidates, others by all candidates, the rest by a float64 search.
    for n_tried in (k, width - 1):
        own, others = rows[doubtful], candidates[doubtful, :n_tried].sort(dim=1).values
        nearest, order = exact_distances(points, own, others).sort(dim=1, stable=True)
        distances[doubtful], indices[doubtful] = nearest[:, :k], others.gather(1, order[:, :k])
        reach[doubtful] = scaled_differences(points, nearest[:, k - 1])
        doubtful = doubtful[~_certify(points, own, reach[doubtful], scores[doubtful, n_tried])]
    for chunk in doubtful.split(ROWS) if len(doubtful) else ():  # no rows would split into one empty chunk
        distances[chunk], indices[chunk] = _search(points, rows[chunk], reach[chunk], k)
    return distances, indices


def _certify(points: Points, rows: Tensor, reach: Tensor, floor: Tensor) -> Tensor:
    """Return whether every point that scores at most `floor` (B,) is provably further away than `reach` (B,)."""
    nearest = points.size[rows].square() / 2 - floor.double() - _score_error(points, rows, reach, SINGLE)
    return nearest.clamp(min=0).mul(2).sqrt() > _differences_seen(points, rows, reach, SINGLE)


def _differences_seen(points: Points, rows: Tensor, reach: Tensor, unit: float) -> Tensor:
    """Bound the distance of two points within `reach` after p is rounded: each moves by `unit` of its own size."""
    width = points.x.shape[1]
    moved = 1.01 * (unit + 4 * DOUBLE) * (points.size[rows] + _sizes_within(points, rows, reach))
    return reach * (1 + (width + 16) * DOUBLE) + moved + 2 * width**0.5 * TINY


def _score_error(points: Points, rows: Tensor, reach: Tensor, unit: float) -> Tensor:
    """Rounding error of a score: |fl(a.b) - a.b| <= g |a||b|, g = n unit / (1 - n unit) (Higham 2002, section 3.1)."""
    terms = points.x.shape[1] + 4
    gamma = 1.01 * terms * unit / (1 - terms * unit)
    other = _sizes_within(points, rows, reach)
    return gamma * (points.size[rows] * other + other.square()) + 2 * terms * TINY


def _sizes_within(points: Points, rows: Tensor, reach: Tensor) -> Tensor:
    """Bound |p_j| of possible neighbours: a point further out than |p_i| + reach cannot be one."""
    return ((points.size[rows] + reach) * (1 + 2.0**-20)).clamp(max=float(points.size.max()))


def _search(points: Points, rows: Tensor, reach: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Find the k nearest of few rows among all points that float64 products cannot exclude from `reach`."""
    own = (points.directions(rows) - points.centre) / points.scale
    size = points.size[rows] * (1 + 2.0**-20)
    error = _score_error(points, rows, reach, DOUBLE)
    bound = own.square().sum(1) / 2 - _differences_seen(points, rows, reach, DOUBLE).square() / 2 - error
    bound -= 2.0**-50 * size.square()
    left, right = [], []
    for columns in torch.arange(len(points.x), device=rows.device).split(max(1, PAIR_ELEMENTS // points.x.shape[1])):
        other = (points.directions(columns) - points.centre) / points.scale
        score = own @ other.T - other.square().sum(1) / 2
        score.masked_fill_(points.kin[columns] == points.kin[rows].unsqueeze(1), -torch.inf)
        row, column = (score >= bound.unsqueeze(1)).nonzero(as_tuple=True)
        left.append(row)
        right.append(columns[column])
    row, column = torch.cat(left), torch.cat(right)
    distances = exact_distances(points, rows[row], column.unsqueeze(1)).squeeze(1)
    # Three stable sorts order the pairs by (row, distance, index).
    order = column.argsort(stable=True)
    order = order[distances[order].argsort(stable=True)]
    order = order[row[order].argsort(stable=True)]
    counts = torch.bincount(row, minlength=len(rows))
    first = counts.cumsum(0) - counts
    chosen = order[first.unsqueeze(1) + torch.arange(k, device=rows.device)]
    return distances[chosen], column[chosen]

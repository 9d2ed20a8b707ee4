"""Cosine distances between languages in float64, and nearest translations with ties settled by index.

1 - cos = |u - v|^2 / 2 for the directions u and v of two states. A common shift changes no difference, so products are
computed of directions less their mean. Rounding is then relative to the spread of the points, and a space whose cosines
are all near 1 stays sharp. Distances that differ by at most `tie` count as equal, so rounding cannot separate equal
rows.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from babelscope.metrics.search.points import square_root, sum_folded

TIE = 1e-12  # share of the largest squared distance from the mean; float64 rounding is below 1e-16 sqrt(D) of it


@dataclass(frozen=True)
class Directions:
    """Directions of n sentences in K languages; build them with `directions_of`."""

    x: Tensor
    """(K, n, D) float32 states."""
    length: Tensor
    """(K, n) float64 |x|, 1 for a zero row."""
    zero: Tensor
    """(K, n) whether the row has no direction; its distance to every row is 1 and its cosine 0."""
    centre: Tensor
    """(D,) float64 mean of all directions."""
    tie: float
    """Distances that differ by no more than this count as equal."""

    def centred(self, language: int) -> Tensor:
        """Return the (n, D) float64 directions of one language, less the mean of all directions."""
        return self.x[language].double() / self.length[language].unsqueeze(1) - self.centre

    def distances(self, one: int, other: int) -> Tensor:
        """Return 1 - cosine (n, n) between the sentences of one language (rows) and of another (columns)."""
        p, q = self.centred(one), self.centred(other)
        squares = p.square().sum(1).unsqueeze(1) + q.square().sum(1)
        distances = squares / 2 - p @ q.T
        return distances.masked_fill_(self.zero[one].unsqueeze(1) | self.zero[other], 1.0)


def directions_of(x: Tensor) -> Directions:
    """Prepare states x (K, n, D) for distances between languages, one language at a time."""
    # Folded sums give equal rows the same bits, whatever their position.
    norm = torch.stack([square_root(sum_folded(states.double().square())) for states in x])
    zero = norm == 0
    length = torch.where(zero, 1.0, norm)
    total = torch.stack([(x[i].double() / length[i].unsqueeze(1)).sum(0) for i in range(len(x))]).sum(0)
    points = Directions(x, length, zero, total / zero.numel(), 0.0)
    spread = max(float(points.centred(language).square().sum(1).max()) for language in range(len(x)))
    return Directions(x, length, zero, points.centre, TIE * spread)


def nearest(distances: Tensor, k: int, tie: float) -> Tensor:
    """Mark (n, m) the k nearest columns in each row of `distances` (n, m); ties are taken in order of index."""
    last = distances.topk(k, largest=False).values[:, -1:]
    inside = distances < last - tie
    tied = ~inside & (distances <= last + tie)
    return inside | (tied & (tied.cumsum(1) <= k - inside.sum(1, keepdim=True)))

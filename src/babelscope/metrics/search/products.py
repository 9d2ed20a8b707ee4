"""Half squared distances as one symmetric matrix product, with proven bounds on their error.

A row holds the difference of its point from the nearest of K centres, rounded to the type of the product, and a few
more columns. For points c_i + a_i with centres c, |c_i + a_i - c_j - a_j|^2 / 2 = t_i(c_j) + t_j(c_i) - a_i . a_j with
t_i(c) = |a_i|^2 / 2 + a_i . (c_i - c) + |c_i - c|^2 / 4. In the product, t_i of all centres, in two parts, meets ones
at the place of the other point's centre. So the half squared distance is one product of two coded rows. Its rounding is
relative to the distance itself and to how far the points are from their centres, so it is small where it matters.
Non-negative floats have the same order as their bits, so results are compared as integers, which is several times as
fast.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from babelscope.metrics.search.points import DOUBLE, SINGLE, TINY, Points

GROUP = 16
"""Rows and columns of a block are compared by groups of this size."""
PARTS = 2
"""Numbers that encode a bias; they leave 2^-16 of it in bfloat16, which is less than what sums lose."""
CHUNK = 2**18
"""Numbers encoded at a time: 1 MiB of float32, to stay in cache."""
FAR = 2.0**60
"""Half square of padding and of rows without a direction, so that neither is a neighbour (others are at most 2)."""
KEYS = {torch.bfloat16: torch.int16, torch.float32: torch.int32}
"""Integers that order non-negative floats of each type."""
TILE = {torch.bfloat16: 32, torch.float32: 8}
"""Columns are padded to a multiple of this: a row of a tile of a matrix instruction, or a vector."""


@dataclass(frozen=True)
class Coded:
    """M coded rows (N points in a shuffled order, then padding to a multiple of GROUP); build them with `encode`."""

    right: Tensor
    """(M, W) coded rows, bfloat16 or float32; W is D + 2 PARTS K, padded to a multiple of `TILE`."""
    order: Tensor
    """(N,) the point that each row codes."""
    kin: Tensor
    """(M,) int32 group of each row; rows of one group are side by side; -1 for padding."""
    largest: int
    """Most rows in one group of kin."""
    size: Tensor
    """(M,) float64 |a|, 0 for padding."""
    placed: Tensor
    """(M,) float64, an upper bound of the distance from p to the point itself."""
    moved: Tensor
    """(M,) float64, an upper bound of the distance from c + a to the point itself."""
    width: int
    """D."""
    centres: int
    """K."""
    apart: float
    """An upper bound of the largest distance between centres, 0 for a single centre."""
    nearer: float
    """An upper bound of how much nearer another centre is to any c + a than its own centre; nearly 0."""
    away: float
    """An upper bound of the largest |c|, 0 for a single centre."""
    gamma: float
    """Relative error of a sum of the products of two rows in float32, in any order."""

    def left(self, start: int, stop: int) -> Tensor:
        """Rows that, multiplied with `right`, give half squared distances: points negated, ones and parts swapped."""
        rows = self.right[start:stop].neg()
        d, n_terms = self.width, PARTS * self.centres
        rows[:, d : d + n_terms] = self.right[start:stop, d + n_terms : d + 2 * n_terms]
        rows[:, d + n_terms : d + 2 * n_terms] = self.right[start:stop, d : d + n_terms]
        return rows

    def key_within(self, rows: slice, reach: Tensor) -> Tensor:
        """Largest key (B,) that a point whose distance |p_i - p_j| is at most `reach` (B,) can have."""
        # The other point is moved by less than 2^-6 of all this, plus once more what moved this one.
        other = (self.size[rows] + 2 * self.moved[rows] + reach + self.nearer) * (1 + 2.0**-6)
        other = other.clamp(max=self._largest)
        seen = reach + self.moved[rows] + self._moved_within(rows, other, reach)
        value = ((seen.square() / 2 + self._error(rows, other, seen)) * (1 + 2.0**-20)).clamp(max=FAR / 4)
        # Rounding preserves order: no smaller value becomes larger.
        return value.to(self.right.dtype).view(KEYS[self.right.dtype])

    def reach_within(self, rows: slice, keys: Tensor) -> Tensor:
        """Largest distance |p_i - p_j| (B,) that a point of a key of at most `keys` (B,) can have."""
        value = keys.view(self.right.dtype).double().clamp(0.0, FAR / 4) * (1 + self._unit)
        size, root = self.size[rows], self.gamma**0.5
        # The distance t has t^2 / 2 <= value + `_error`. There |a_j| <= |a_i| + t + `nearer`, because j is coded around
        # its nearest centre, and the distance of the centres is at most `apart` and at most |a_i| + |a_j| + t.
        seen = (2 * (value + self._flushed)).sqrt() + (self._inner * (2 * size + self.nearer)).sqrt() + self._inner
        seen = torch.minimum(
            _solve(seen + root * (2 * size + self.nearer + self.apart), root),
            _solve(seen + root * (4 * size + 2 * self.nearer), 3 * root),
        )
        other = (size + seen + self.nearer).clamp(max=self._largest)
        seen = (2 * (value + self._error(rows, other, seen))).sqrt()
        return (seen + self.moved[rows] + self._moved_within(rows, other, seen)) * (1 + 4 * SINGLE)

    @property
    def _largest(self) -> float:
        return float(self.size.max())

    @property
    def _unit(self) -> float:
        """Relative error of rounding a number to the nearest of the type, with some margin."""
        return 1.01 * 2.0**-8 if self.right.dtype == torch.bfloat16 else 2.0**-22

    @property
    def _flushed(self) -> float:
        return 4 * self.right.shape[1] * TINY

    @property
    def _inner(self) -> float:
        """Twice the error of t in float64, divided by |a_i| + |a_j|."""
        return 8 * (self.width + 4) * DOUBLE * self.away

    def _moved_within(self, rows: slice, size: Tensor, reach: Tensor) -> Tensor:
        """Bound how far rounding moved a point with |a_j| at most `size` and at most `reach` away from the row."""
        placed = self.placed[rows] + 2 * SINGLE * reach
        return (self._unit * size + placed + self.width * TINY).clamp(max=float(self.moved.max()))

    def _error(self, rows: slice, other: Tensor, reach: Tensor) -> Tensor:
        """Bound the error of a sum: gamma (t_i + t_j + |a_i||a_j|), the float64 error of t, and flushing to zero."""
        sizes = self.size[rows] + other
        apart = (sizes + reach).clamp(max=self.apart)
        return self.gamma * (sizes + apart).square() / 2 + self._inner * sizes / 2 + self._flushed


def _solve(most: Tensor, share: float) -> Tensor:
    """Return the largest t with t <= most + share t."""
    return most / (1 - share) if share < 1 else torch.full_like(most, torch.inf)


def encode(points: Points, order: Tensor, dtype: torch.dtype, centres: Tensor) -> Coded:
    """Encode prepared points (N, D) for products in `dtype`, around centres (K, D).

    Points are taken in `order` (N,), in which kin are side by side.
    """
    count, width = points.p.shape
    padded, n_terms = -count % GROUP + count, PARTS * len(centres)
    right = points.p.new_zeros(padded, -(width + 2 * n_terms) % TILE[dtype] + width + 2 * n_terms, dtype=dtype)
    size, moved = points.size.new_zeros(padded), points.size.new_zeros(padded)
    terms = points.size.new_full((padded, len(centres)), FAR)
    group = order.new_zeros(padded)
    exact = centres.double()
    gaps = torch.cdist(exact, exact, compute_mode="donot_use_mm_for_euclid_dist").square()
    away = float(torch.linalg.vector_norm(exact, dim=1).max())
    nearer, start = size.new_zeros(()), 0
    for rows in order.split(max(1, CHUNK // width)):
        place = slice(start, start + len(rows))
        p = points.p.index_select(0, rows)
        own = (p @ centres.T).sub_(centres.square().sum(1) / 2).argmax(1)
        if len(centres) > 1:
            p -= centres[own]
            moved[place] = 1.01 * SINGLE * torch.linalg.vector_norm(p, dim=1, dtype=torch.float64)
        right[place, :width] = p
        a = right[place, :width].float()
        size[place] = torch.linalg.vector_norm(a, dim=1, dtype=torch.float64)
        moved[place] += torch.linalg.vector_norm(p.sub_(a), dim=1, dtype=torch.float64)
        along = a.double() @ exact.T
        along = along.gather(1, own.unsqueeze(1)) - along
        squares = size[place].square().unsqueeze(1)
        terms[place] = squares / 2 + along + gaps[own] / 4
        squares = (squares + 2 * along + gaps[own]).amin(1) - 8 * (width + 4) * DOUBLE * away * size[place]
        nearer = torch.maximum(nearer, (size[place] - squares.clamp(min=0).sqrt()).max())
        group[place] = own
        start += len(rows)
    terms[:count].masked_fill_(points.zero[order].unsqueeze(1), FAR)
    right[:, width : width + n_terms] = torch.nn.functional.one_hot(group, len(centres)).repeat(1, PARTS)
    for part in right[:, width + n_terms : width + 2 * n_terms].split(len(centres), dim=1):
        part.copy_(terms)
        terms = terms - part.double()
    placed = torch.zeros_like(size)
    placed[:count] = (SINGLE + 8 * DOUBLE) * points.size[order] + width * TINY
    # Products with zeros add nothing; what the parts leave counts as 128 terms. On a processor, twice the unit roundoff
    # of rounding to nearest; on a GPU, a margin for the truncated sums of tensor cores.
    gamma = (width + 2 * PARTS + 140) * SINGLE * (2 if order.device.type == "cpu" else 16)
    kin = points.kin[order].unique_consecutive(return_inverse=True)[1].int()
    return Coded(
        right,
        order,
        torch.nn.functional.pad(kin, (0, padded - count), value=-1),
        points.largest,
        size,
        placed,
        moved + placed,
        width,
        len(centres),
        apart=float(gaps.max()) ** 0.5 * (1 + 2.0**-40),
        nearer=float(nearer) + (width + 4) * DOUBLE,
        away=away,
        gamma=gamma,
    )

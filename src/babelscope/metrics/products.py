"""Half squared distances as one symmetric matrix product, with proven bounds on their error.

A row is coded as its point, rounded to the type of the product, and a few columns more: its half square h in three
parts, against ones. Then |a_i - a_j|^2 / 2 = h_i + h_j - a_i . a_j is one product of two coded rows, and its rounding
is relative to the distance itself, small where it matters. Non-negative floats are ordered as their bits are, so what
comes out is compared as integers, which is several times as fast.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from babelscope.metrics.rerank import DOUBLE, SINGLE, TINY, Points

GROUP = 16
"""Rows and columns of a block are compared by groups of this size."""
PARTS = 3
CHUNK = 2**18
"""Numbers coded at a time: 1 MiB of float32, to stay in cache."""
FAR = 2.0**60
"""Half square of padding, and of rows without a direction: no neighbour of any point (half squares at most 2)."""
KEYS = {torch.bfloat16: torch.int16, torch.float32: torch.int32}
"""Integers that order non-negative floats of each type."""


@dataclass(frozen=True)
class Coded:
    """M coded rows (N points in a shuffled order, then padding to a multiple of GROUP); build them with `encode`."""

    right: Tensor
    """(M, W) coded rows, bfloat16 or float32; W is D + 2 PARTS, padded to a multiple of 32."""
    order: Tensor
    """(N,) the point that each row codes."""
    size: Tensor
    """(M,) float64 |a|, 0 for padding."""
    moved: Tensor
    """(M,) float64, at least |a - p|, how far rounding moved the point."""
    width: int
    """D."""
    gamma: float
    """Relative error of a sum of W products in float32, in any order."""

    def left(self, start: int, stop: int) -> Tensor:
        """Rows that, multiplied with `right`, give half squared distances: points negated, ones and parts swapped."""
        rows = self.right[start:stop].neg()
        d = self.width
        rows[:, d : d + PARTS] = self.right[start:stop, d + PARTS : d + 2 * PARTS]
        rows[:, d + PARTS : d + 2 * PARTS] = self.right[start:stop, d : d + PARTS]
        return rows

    def key_within(self, rows: slice, reach: Tensor) -> Tensor:
        """Largest key (B,) that a point whose distance |p_i - p_j| is at most `reach` (B,) can have."""
        other = ((self.size[rows] + self.moved[rows] + reach) * (1 + 2.0**-6)).clamp(max=self._largest)
        seen = reach + self.moved[rows] + self._moved_within(other)
        value = ((seen.square() / 2 + self._error(rows, other)) * (1 + 2.0**-20)).clamp(max=64.0)
        # Rounding, to nearest as here or towards zero, keeps order: no smaller value comes out larger.
        return value.to(self.right.dtype).view(KEYS[self.right.dtype])

    def reach_within(self, rows: slice, keys: Tensor) -> Tensor:
        """Largest distance |p_i - p_j| (B,) that a point of a key of at most `keys` (B,) can have."""
        value = keys.view(self.right.dtype).double().clamp(0.0, 64.0) * (1 + self._unit)
        # (|a_j| - |a_i|)^2 / 2 <= value + gamma (|a_i| + |a_j|)^2 / 2 bounds |a_j|.
        root = self.gamma**0.5
        other = ((self.size[rows] * (1 + root) + (2 * value).sqrt()) / (1 - root)).clamp(max=self._largest)
        seen = (2 * (value + self._error(rows, other))).sqrt()
        return seen + self.moved[rows] + self._moved_within(other)

    @property
    def _largest(self) -> float:
        return float(self.size.max())

    @property
    def _unit(self) -> float:
        """Relative error of rounding a number to the type, with room."""
        return 1.01 * 2.0**-8 if self.right.dtype == torch.bfloat16 else 2.0**-22

    def _moved_within(self, size: Tensor) -> Tensor:
        """How far rounding moved a point of at most this size."""
        return (self._unit * size + self.width * TINY).clamp(max=float(self.moved.max()))

    def _error(self, rows: slice, other: Tensor) -> Tensor:
        """Error of a sum: gamma (h_i + h_j + |a_i||a_j|), and what flushing to zero may cost."""
        return self.gamma * (self.size[rows] + other).square() / 2 + 4 * self.right.shape[1] * TINY


def encode(points: Points, order: Tensor, dtype: torch.dtype) -> Coded:
    """Code prepared points (N, D), taken in `order` (N,), for products in `dtype`."""
    count, width = points.p.shape
    padded = -count % GROUP + count
    right = points.p.new_zeros(padded, -(width + 2 * PARTS) % 32 + width + 2 * PARTS, dtype=dtype)
    right[:, width : width + PARTS] = 1
    size, moved = points.size.new_zeros(padded), points.size.new_zeros(padded)
    start = 0
    for rows in order.split(max(1, CHUNK // width)):
        stop = start + len(rows)
        p = points.p[rows]
        right[start:stop, :width] = p
        a = right[start:stop, :width].float()
        size[start:stop] = torch.linalg.vector_norm(a, dim=1, dtype=torch.float64)
        moved[start:stop] = torch.linalg.vector_norm(p.sub_(a), dim=1, dtype=torch.float64)
        start = stop
    rest = size.square() / 2
    rest[count:] = FAR
    rest[:count].masked_fill_(points.zero[order], FAR)
    for part in range(PARTS):
        column = rest.to(dtype)
        right[:, width + PARTS + part] = column
        rest = rest - column.double()
    moved[:count] += (SINGLE + 8 * DOUBLE) * points.size[order] + width * TINY
    terms = right.shape[1] + 4
    # Twice the unit of rounding to nearest on a processor, and room for the truncated sums of tensor cores.
    gamma = terms * SINGLE * (2 if order.device.type == "cpu" else 16)
    return Coded(right, order, size, moved, width, gamma)

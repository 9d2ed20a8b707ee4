"""Points prepared for an exact search: rows centred and scaled in float32, and their distances in float64.

Both distances are monotone in |u_i - u_j|, where u is the row itself (euclidean) or its direction (cosine, as
1 - cos = |u_i - u_j|^2 / 2). Candidates are found on p, the rows u centred and scaled, in float32: centring changes no
difference but makes rounding relative to the spread of the points, so a space whose cosines are all near 1 stays sharp.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

Distance = Literal["cosine", "euclidean"]
PAIR_ELEMENTS = 2**18  # float64 numbers per chunk of differences: 2 MiB, to stay in cache
SINGLE, DOUBLE = 2.0**-24, 2.0**-53  # unit roundoff of float32 and float64
TINY = 2.0**-126  # the smallest normal float32, lost at most when a number is flushed to zero


@dataclass(frozen=True)
class Points:
    """N points prepared for search; build them with `prepare_points`."""

    x: Tensor
    """(N, D) float32 rows as given."""
    length: Tensor
    """(N,) float64 |x| for cosine (1 for a zero row), else 1: x / length is u."""
    zero: Tensor
    """(N,) whether the row has no direction; its cosine distance to every point is 1."""
    centre: Tensor
    """(D,) float64 mean of u."""
    scale: float
    """Largest |u|."""
    p: Tensor
    """(N, D) float32 (u - centre) / scale."""
    size: Tensor
    """(N,) float64 |p|."""
    distance: Distance
    kin: Tensor
    """(N,) int64 group of each point; points of one group are never each other's neighbours."""
    largest: int = 1
    """Number of points in the largest group."""

    def directions(self, index: Tensor | slice) -> Tensor:
        """Return u (..., D) in float64 for a slice or an index of any shape."""
        return self.x[index].double() / self.length[index].unsqueeze(-1)

    @property
    def half_squares(self) -> Tensor:
        """(N,) float32 |p|^2 / 2: p_i . p_j less this orders j by nearness to i."""
        return (self.size.square() / 2).float()


def prepare_points(x: Tensor, k: int, distance: Distance, kin: Tensor | None = None) -> Points:
    """Check the arguments of a neighbour search such as `nearest_neighbours`, and prepare x (N, D) for it."""
    if x.ndim != 2 or x.dtype != torch.float32 or 0 in x.shape:
        raise ValueError(
            f"Expected argument `x` to be a non-empty float32 tensor of shape (N, D), but got {x.dtype} of shape "
            f"{tuple(x.shape)}; pool to (N, D) and call .float()"
        )
    if distance not in ("cosine", "euclidean"):
        raise ValueError(
            f"Expected argument `distance` to be 'cosine' or 'euclidean', but got {distance!r}; choose one"
        )
    if kin is not None and (kin.shape != x.shape[:1] or kin.dtype != torch.int64):
        raise ValueError(
            f"Expected argument `kin` to be an int64 tensor of one number for each of {len(x)} points, but got "
            f"{kin.dtype} of shape {tuple(kin.shape)}; pass the number of each point's sentence"
        )
    largest = 1 if kin is None else int(kin.unique(return_counts=True)[1].max())
    if not 1 <= k <= len(x) - largest:
        beside = "" if kin is None else f", of which {largest} do not count for one of them"
        raise ValueError(
            f"Expected argument `k` to be at least 1 and smaller than the number of points, but got k={k} with "
            f"{len(x)} points{beside}; change k or add sentences"
        )
    kin = torch.arange(len(x), device=x.device) if kin is None else kin.to(x.device)
    step = max(1, PAIR_ELEMENTS // x.shape[1])
    norm = torch.cat([square_root(sum_folded(chunk.double().square_())) for chunk in x.split(step)])
    if not bool(torch.isfinite(norm).all()):  # squares of float32 numbers do not overflow
        row = int((~torch.isfinite(norm)).nonzero()[0])
        raise ValueError(f"Expected argument `x` to be finite, but row {row} is not; drop it or look for overflow")
    zero = (norm == 0) if distance == "cosine" else torch.zeros_like(norm, dtype=torch.bool)
    length = torch.where(zero, 1.0, norm) if distance == "cosine" else torch.ones_like(norm)
    scale = float((norm / length).max()) or 1.0
    points = Points(x, length, zero, x.new_zeros(0).double(), scale, x, norm, distance, kin)
    chunks = [slice(start, start + step) for start in range(0, len(x), step)]
    centre = torch.stack([points.directions(rows).sum(0) for rows in chunks]).sum(0) / len(x)
    p = torch.empty_like(x, memory_format=torch.contiguous_format)
    size = torch.empty_like(norm)
    for rows in chunks:
        p[rows] = points.directions(rows).sub_(centre).div_(scale)
        size[rows] = torch.linalg.vector_norm(p[rows], dim=1, dtype=torch.float64)
    return Points(x, length, zero, centre, scale, p, size, distance, kin, largest)


def sum_folded(x: Tensor) -> Tensor:
    """Sum the last dimension, in place, by folding halves: the same bits at any position, batch size and device."""
    width = x.shape[-1]
    while width > 1:
        half = (width + 1) // 2
        x[..., : width - half].add_(x[..., half:width])
        width = half
    return x[..., 0]


def square_root(x: Tensor) -> Tensor:
    """Return the square root rounded to the nearest number, as on every GPU.

    On some processors torch's own, by MKL, is a last bit off for one number in a hundred, 2 among them. Such a bit
    decides which of two equally near points comes first.
    """
    return torch.from_numpy(np.sqrt(x.detach().numpy())) if x.device.type == "cpu" else x.sqrt()


def exact_distances(points: Points, rows: Tensor, others: Tensor) -> Tensor:
    """Return the float64 distances (B, m) of rows (B,) to others (B, m)."""
    width = points.x.shape[1]
    step = max(1, PAIR_ELEMENTS // (others.shape[1] * width))
    squares = points.length.new_empty(others.shape)
    for own, theirs, out in zip(rows.split(step), others.split(step), squares.split(step), strict=True):
        # As `directions`, but one row after the other and in place, in half the time
        index = torch.cat([own.unsqueeze(1), theirs], dim=1)
        u = points.x.index_select(0, index.flatten()).double().div_(points.length[index].view(-1, 1))
        u = u.view(*index.shape, width)
        out.copy_(sum_folded(u[:, 1:].sub_(u[:, :1]).square_()))
    if points.distance == "euclidean":
        return square_root(squares)
    return torch.where(points.zero[rows].unsqueeze(1) | points.zero[others], 1.0, squares / 2)


def lengths_between(points: Points, rows: Tensor, others: Tensor) -> Tensor:
    """Return a lower bound (P,) float64 of |p_i - p_j| for pairs of points, computed in float32."""
    out = points.length.new_empty(len(rows))
    step = max(1, 2 * PAIR_ELEMENTS // points.x.shape[1])
    for own, theirs, part in zip(rows.split(step), others.split(step), out.split(step), strict=True):
        apart = points.p.index_select(0, theirs).sub_(points.p.index_select(0, own))
        part.copy_(torch.linalg.vector_norm(apart, dim=1))
    # Each point was moved by `SINGLE` of its size; differences and the sum of D squares add their own rounding.
    moved = 1.01 * (SINGLE + 4 * DOUBLE) * (points.size[rows] + points.size[others])
    width = points.x.shape[1]
    return out * (1 - 1.01 * (width + 8) * SINGLE) - moved - 4 * width**0.5 * TINY**0.5


def scaled_differences(points: Points, distances: Tensor) -> Tensor:
    """Convert a distance to |u_i - u_j| / scale."""
    return (distances if points.distance == "euclidean" else (2 * distances).sqrt()) / points.scale

"""Exact nearest neighbours in blocks: no N x N matrix, self and kin excluded by index, ties by (distance, index)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from babelscope.metrics.hardware import product_type
from babelscope.metrics.precision import full_precision, product
from babelscope.metrics.search.centres import find_centres
from babelscope.metrics.search.duplicates import copies, lowest
from babelscope.metrics.search.groups import separate_groups
from babelscope.metrics.search.points import Distance, Points, prepare_points
from babelscope.metrics.search.products import encode
from babelscope.metrics.search.rerank import rerank
from babelscope.metrics.search.settle import settle
from babelscope.metrics.search.symmetric import near_pairs

Search = Callable[..., tuple[Tensor, Tensor]]
"""Any function of (x, k, *, distance, kin) that returns (N, k) distances and indices, as `nearest_neighbours` does."""
MARGIN = 6  # extra candidates beyond k, so that float32 rounding rarely leaves a row in doubt
MAX_BRUTE_FORCE_POINTS = 1024
"""Up to this many points, computing all products in float32 is as fast."""
MAX_PAIR_K = 64
"""Number of neighbours above which so many pairs are near that computing all products in float32 is as fast."""

MAX_GROUPS_PER_BLOCK = 320
"""Groups that a row may look into per block, in addition to 4 k.

With a quarter of this, rows of 4,096 columns were given up; four times as many find no more."""

MIN_DOUBTFUL_FOR_COPIES = 256
"""Number of rows in doubt above which copies are searched for."""


@dataclass(frozen=True)
class Found:
    """Neighbours, and how they were proven."""

    distances: Tensor
    """(N, k) float64, ascending."""
    indices: Tensor
    """(N, k) int64; equal distances are in order of index."""
    certified: dict[str, float]
    """Share of rows proven by products of each type ("bfloat16", "float32"), in the order in which they were tried.

    Before them, if there are any, the share of rows that were searched for only in their "group". The other rows have
    no direction or many copies, or were found by `rerank` from all their float32 products or in float64."""


@torch.no_grad()
def nearest_neighbours(
    x: Tensor, k: int, *, distance: Distance = "cosine", kin: Tensor | None = None, block: int = 2048
) -> tuple[Tensor, Tensor]:
    """Return the k nearest other points of every point, as a float64 search of all pairs would.

    Candidates come from products in the type in which the machine is fastest (`product_type`); their distances are
    computed again in float64 from the float32 inputs. Rows that the rounding bound leaves in doubt are searched in
    float32 and finally in float64, so neither type nor machine affects the results. Memory grows with `block` x N.

    Args:
        x: (N, D) float32 points. Under cosine a zero row has distance 1 to every point.
        k: Neighbours per point, at least 1 and at most the number of possible neighbours of every point.
        distance: "cosine" (1 - cosine) or "euclidean".
        kin: (N,) int64 group of each point; points of one group, such as translations, are never each other's
            neighbours. If omitted, every point is a group of its own.
        block: Rows multiplied at a time; changes no result.

    Returns:
        (N, k) float64 distances, ascending, and (N, k) int64 indices; equal distances are in order of index.

    Raises:
        ValueError: if x is not finite (N, D) float32, k does not fit N, or the distance or kin is not valid.
    """
    found = find_neighbours(x, k, distance=distance, kin=kin, block=block)
    return found.distances, found.indices


@torch.no_grad()
def find_neighbours(
    x: Tensor, k: int, *, distance: Distance = "cosine", kin: Tensor | None = None, block: int = 2048
) -> Found:
    """Return what `nearest_neighbours` returns and raises, with the share of rows that each product type proved."""
    if block < 1:
        raise ValueError(f"Expected argument `block` to be at least 1, but got {block}; leave the default")
    points = prepare_points(x, k, distance, kin)
    equal = bool((x[0] == x[-1]).all()) and bool((x == x[:1]).all())
    alike = torch.ones_like(points.zero) if equal else points.zero
    distances, indices = points.length.new_empty(len(x), k), points.zero.new_empty(len(x), k, dtype=torch.int64)
    for rows in alike.nonzero().squeeze(1).split(block) if bool(alike.any()) else ():
        distances[rows], indices[rows] = _all_equal(points, rows, k)
    doubtful = ~alike
    certified: dict[str, float] = {}
    with full_precision(x.device):
        for rows, near, names in _by_groups(points, k, block):
            distances[rows], indices[rows], doubtful[rows] = near, names, False
        if grouped := int((~alike & ~doubtful).sum()):
            certified["group"] = grouped / len(x)
        for dtype in dict.fromkeys((product_type(x.device), torch.float32)):
            # For few rows, products in blocks of rows cost less than all pairs again.
            if len(x) <= MAX_BRUTE_FORCE_POINTS or k > MAX_PAIR_K or int(doubtful.sum()) <= len(x) // 4:
                break
            near, names, proven = _by_pairs(points, k, dtype, block)
            proven &= doubtful
            distances[proven], indices[proven] = near[proven], names[proven]
            certified[str(dtype).removeprefix("torch.")] = float(proven.sum()) / len(x)
            doubtful &= ~proven
            if int(doubtful.sum()) > MIN_DOUBTFUL_FOR_COPIES:
                rows, nearest = copies(points, k)
                rows, nearest = rows[doubtful[rows]], nearest[doubtful[rows]]
                distances[rows], indices[rows], doubtful[rows] = 0.0, nearest, False
        for rows in doubtful.nonzero().squeeze(1).split(block) if bool(doubtful.any()) else ():
            distances[rows], indices[rows] = _by_rows(points, rows, k)
    return Found(distances, indices, certified)


def _by_groups(points: Points, k: int, block: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yield rows (B,) whose neighbours are in their own group, with the distances and indices (B, k) of these."""
    for rows, proven in separate_groups(points, k) if len(points.x) > MAX_BRUTE_FORCE_POINTS else ():
        group = find_neighbours(points.x[rows], k, distance=points.distance, kin=points.kin[rows], block=block)
        yield rows[proven], group.distances[proven], rows[group.indices[proven]]


def _by_pairs(points: Points, k: int, dtype: torch.dtype, block: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return neighbours of all rows from products of pairs of blocks, and (N,) whether each row is proven."""
    # A random order of the points with kin side by side, the same on every device.
    kinds, kin = points.kin.unique(return_inverse=True)
    place = torch.randperm(len(kinds), generator=torch.Generator().manual_seed(0)).to(points.x.device)
    order = place[kin].argsort(stable=True)
    coded = encode(points, order, dtype, find_centres(points.p, dtype))
    return settle(points, coded, near_pairs(coded, k, (block + 1) // 2, MAX_GROUPS_PER_BLOCK + 4 * k), k)


def _by_rows(points: Points, rows: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Return the neighbours of some rows (B,), from their products with all points in float32."""
    scores = product(points.p[rows], points.p).sub_(points.half_squares)
    scores.masked_fill_(points.kin[rows].unsqueeze(1) == points.kin, -torch.inf)
    best = scores.topk(min(k + MARGIN + 1, len(points.x) - points.largest + 1))
    return rerank(points, rows, best.indices, best.values, k)


def _all_equal(points: Points, rows: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Return the neighbours of rows (B,) that are equally far from all points: the lowest indices outside their kin."""
    others = torch.arange(k + points.largest, device=rows.device).expand(len(rows), -1)
    return points.zero[rows].double().unsqueeze(1).expand(-1, k), lowest(points, rows, others, k)

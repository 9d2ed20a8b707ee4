"""Canonical angles between the column spaces of two tables whose rows correspond, and their chance level."""

import math

import torch
from torch import Tensor

BLOCK = 4096
RANK = 1e-12  # eigenvalues of the scaled Gram matrix below this share of the largest are rounding


@torch.no_grad()
def canonical_angles(
    a: Tensor,
    b: Tensor,
    *,
    centred: bool,
    rows: tuple[Tensor, Tensor] | None = None,
    block: int = BLOCK,
) -> Tensor:
    """Return the cosines of the canonical angles, the singular values of Q_A' Q_B (Bjorck & Golub 1973), descending.

    Q_A and Q_B are never built. With the Gram matrices A'A, B'B and A'B, summed in float64 over row blocks, the cosines
    are the singular values of (A'A)^(-1/2) A'B (B'B)^(-1/2). Directions without variance have cosine 0.

    Args:
        a: (V1, D1) first table in any floating type, perhaps memory-mapped.
        b: (V2, D2) second table.
        centred: Whether column means are subtracted. Without it a constant offset alone gives a first cosine near 1.
        rows: (n,) rows of a and (n,) rows of b that correspond; if omitted, row i corresponds to row i.
        block: Rows cast to float64 at a time.

    Returns:
        (min(D1, D2),) float64 cosines between 0 and 1.

    Raises:
        ValueError: if the rows do not correspond, or are not more numerous than the columns.
    """
    left, right = (torch.arange(len(a)), torch.arange(len(b))) if rows is None else rows
    if len(left) != len(right):
        raise ValueError(
            f"Expected as many rows of `a` as of `b`, but got {len(left)} and {len(right)}; keep shared rows"
        )
    if len(left) <= max(a.shape[1], b.shape[1]):
        raise ValueError(
            f"Expected more shared rows than columns, but got {len(left)} rows and widths {a.shape[1]} and "
            f"{b.shape[1]}, where every angle is 0 by necessity; share more tokens or project to fewer columns"
        )
    means = [_mean(x, some, block) if centred else x.new_zeros(()).double() for x, some in ((a, left), (b, right))]
    aa = torch.zeros(a.shape[1], a.shape[1], dtype=torch.float64)
    bb = torch.zeros(b.shape[1], b.shape[1], dtype=torch.float64)
    ab = torch.zeros(a.shape[1], b.shape[1], dtype=torch.float64)
    for some, others in zip(left.split(block), right.split(block), strict=True):
        p, q = a[some].double() - means[0], b[others].double() - means[1]
        aa += p.T @ p
        bb += q.T @ q
        ab += p.T @ q
    cosines = torch.linalg.svdvals(_whitener(aa) @ ab @ _whitener(bb).T).clamp(max=1)
    n_angles = min(a.shape[1], b.shape[1])
    return torch.cat([cosines, cosines.new_zeros(max(0, n_angles - len(cosines)))])[:n_angles]


def first_cosine_null(n: int, d1: int, d2: int) -> float:
    """Return the first cosine of large independent random (n, d1) and (n, d2) tables: the edge of Wachter's law.

    The edge is sqrt(a (1 - b)) + sqrt(b (1 - a)) with a = d1 / n and b = d2 / n, and 1 if the spaces must intersect
    (d1 + d2 >= n). For small tables, the first cosine stays below it, by 0.02 of 0.59 at n = 500 and 48 columns.
    """
    if d1 + d2 >= n:
        return 1.0
    a, b = d1 / n, d2 / n
    return math.sqrt(a * (1 - b)) + math.sqrt(b * (1 - a))


def mean_square_null(n: int, d1: int, d2: int) -> float:
    """Return the mean squared cosine expected of independent random tables, max(d1, d2) / n."""
    return min(1.0, max(d1, d2) / n)


def _whitener(gram: Tensor) -> Tensor:
    """Return a (rank, D) matrix W with W gram W' = I; columns are first scaled alike, which changes no space."""
    size = gram.diagonal().sqrt()
    scale = torch.where(size > 0, 1 / size, 0.0)
    values, vectors = torch.linalg.eigh(gram * scale * scale.unsqueeze(1))
    kept = values > RANK * values.max().clamp(min=torch.finfo(torch.float64).tiny)
    return (vectors[:, kept] / values[kept].sqrt()).T * scale


def _mean(x: Tensor, rows: Tensor, block: int) -> Tensor:
    return torch.stack([x[chunk].double().sum(0) for chunk in rows.split(block)]).sum(0) / len(rows)

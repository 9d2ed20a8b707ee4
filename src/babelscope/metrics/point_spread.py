"""How evenly points fill their space, read in blocks of rows so that a table on disk is never copied whole."""

from dataclasses import dataclass

import torch
from torch import Tensor

from babelscope.metrics.precision import full_precision

BLOCK = 4096


@dataclass(frozen=True)
class Spread:
    """Spread of N points in D dimensions."""

    isoscore: float
    """(PR - 1) / (D - 1): 1 if all directions carry equal variance, 0 if one carries all."""
    mean_cosine: float
    """Mean cosine over all pairs of distinct points that have a direction."""
    variance: float
    """Total variance, the trace of the covariance."""


@torch.no_grad()
def measure_spread(x: Tensor, *, rows: Tensor | None = None, block: int = BLOCK) -> Spread:
    """Return IsoScore (Rudman et al. 2022) in closed form, the mean pair cosine and the total variance.

    IsoScore equals (PR - 1) / (D - 1) with the participation ratio PR = tr(C)^2 / tr(C^2); the mean cosine of all pairs
    is (|sum u|^2 - N) / (N (N - 1)), so neither needs sampling or a decomposition.

    Args:
        x: (V, D) points in any floating type, perhaps memory-mapped; D at least 2.
        rows: (N,) rows to use; all if omitted.
        block: Rows cast to float64 at a time.

    Raises:
        ValueError: if there are fewer than 2 points or dimensions, or all points are identical.
    """
    rows = torch.arange(len(x)) if rows is None else rows
    if len(rows) < 2 or x.shape[1] < 2:
        raise ValueError(
            f"Expected at least 2 points in 2 dimensions, but got {len(rows)} of width {x.shape[1]}; add points"
        )
    mean, total, directions = _mean(x, rows, block)
    c = covariance(x, rows, mean, block=block)
    trace = float(c.trace())
    square = float(c.square().sum())
    if square == 0:
        raise ValueError(
            f"Expected distinct points, but all {len(rows)} are identical; the representation has collapsed"
        )
    ratio = trace**2 / square
    cosine = (float(total.square().sum()) - directions) / max(directions * (directions - 1), 1)
    return Spread((ratio - 1) / (x.shape[1] - 1), cosine, trace)


def covariance(x: Tensor, rows: Tensor, mean: Tensor, *, unit: bool = False, block: int = BLOCK) -> Tensor:
    """Return the (D, D) float64 covariance of rows about `mean`; with `unit`, of their directions."""
    width = x.shape[1]
    c = torch.zeros(width, width, dtype=torch.float64)
    with full_precision(torch.device("cpu")):
        for chunk in rows.split(block):
            points = x[chunk].double()
            if unit:
                points = torch.nn.functional.normalize(points, dim=1)
            # float32 products of centred rows: rounding is relative to the spread, sums of blocks are float64
            spread = (points - mean).float()
            c += (spread.T @ spread).double()
    return c / len(rows)


def _mean(x: Tensor, rows: Tensor, block: int) -> tuple[Tensor, Tensor, int]:
    """Return the mean (D,) of the rows, the sum (D,) of their directions, and how many rows have a direction."""
    mean = torch.zeros(x.shape[1], dtype=torch.float64)
    total = torch.zeros_like(mean)
    directions = 0
    for chunk in rows.split(block):
        points = x[chunk].double()
        norm = points.norm(dim=1, keepdim=True)
        mean += points.sum(0)
        total += (points / torch.where(norm > 0, norm, 1.0)).sum(0)
        directions += int((norm > 0).sum())
    return mean / len(rows), total, directions

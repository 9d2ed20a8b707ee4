"""Isotropy of a layer, which detects collapse: overlap and alignment rise when all states become one."""

import math

import torch
from torch import Tensor

from babelscope.metrics.point_spread import measure_spread
from babelscope.metrics.sample import LayerSample

COLLAPSED = 2.0**-40  # states that differ by a smaller share of their largest number count as identical
MODERATE = 2.0**20  # squares of numbers from 1 / MODERATE to MODERATE, times COLLAPSED, are normal float32 numbers


def isotropy(sample: LayerSample) -> dict[str, Tensor]:
    """Measure how evenly the points of all languages fill the space (Rudman et al. 2022).

    A layer whose states are all identical has IsoScore 0, total variance 0 and cosine 1 (0 if the states are zero).

    Args:
        sample: S >= 2 points of width D >= 2.

    Returns:
        isoscore: 0-d (PR - 1) / (D - 1), PR = tr(C)^2 / tr(C^2) of the covariance C.
        isoscore_null: 0-d (S - 2) / (S + D), the value for S points of an isotropic Gaussian: the sample covariance has
            S - 1 degrees of freedom, so 1 / PR has mean (S + D) / ((S - 1) D + 2), exactly.
        random_cosine: 0-d mean cosine of all pairs of distinct points that have a direction.
        total_variance: 0-d tr(C), in squared units of the states.

    Raises:
        ValueError: if there are fewer than 2 points or dimensions.
    """
    points, width = sample.x.shape
    x = sample.x.cpu()
    largest = float(x.abs().max())
    apart = float((x.amax(0).double() - x.amin(0)).max())
    if points > 1 and width > 1 and apart <= COLLAPSED * largest:
        score, cosine, variance = 0.0, float(largest > 0), 0.0
    else:
        # a power of two changes no digit
        scale = 1.0 if 1 / MODERATE < largest < MODERATE else 2.0 ** math.frexp(largest)[1]
        spread = measure_spread(x if scale == 1 else (x.double() / scale).float())
        score, cosine, variance = spread.isoscore, spread.mean_cosine, spread.variance * scale**2
    return {
        "isoscore": sample.x.new_tensor(score, dtype=torch.float64),
        "isoscore_null": sample.x.new_tensor((points - 2) / (points + width), dtype=torch.float64),
        "random_cosine": sample.x.new_tensor(cosine, dtype=torch.float64),
        "total_variance": sample.x.new_tensor(variance, dtype=torch.float64),
    }

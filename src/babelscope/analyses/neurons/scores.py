"""How much of a language's self-similarity each neuron carries, and where that is far above the other languages."""

from math import floor, sqrt

import torch
from torch import Tensor

from babelscope.metrics.pairs.cosine_sums import check_points

COLUMNS = 1024
"""Columns taken at a time, to stay in cache."""
ROUNDING = 1e-6
"""Scores of a neuron that differ by a smaller share of the largest are equal: they come of float32 activations."""
EXACT = 1e-12
CLOSE = 1e-3
"""Share of the squares below which the two sums of a score nearly cancel: such a neuron is summed again in float64, and
exactly so if it is active in a single sentence."""


@torch.no_grad()
def neuron_scores(x: Tensor, norm: Tensor) -> Tensor:
    """Return each neuron's share of the mean cosine between two sentences of a language (Zeng et al. 2025).

    The mean over pairs i < j of h_i h_j, in closed form ((sum_i h_i)^2 - sum_i h_i^2) / (n (n - 1)). The sum over all
    neurons is the mean cosine.

    Args:
        x: (K, n, F) float32 or float64 activations of some neurons on n sentences in K languages.
        norm: (K, n) float64 norms of the whole vectors, over all neurons of the model.

    Returns:
        (K, F) float64.

    Raises:
        ValueError: if there are fewer than 2 languages or sentences, or the shapes do not fit.
    """
    check_points(x, norm)
    sentences = x.shape[1]
    weight = torch.where(norm > 0, 1 / norm, 0.0).unsqueeze(2)
    parts = []
    for part in x.split(COLUMNS, dim=2):
        pairs, close = _sum_pairs_quickly(part, weight.mT)
        if bool(close.any()):
            h = part[:, :, close].double() * weight
            pairs[:, close] = h.sum(1).square() - h.square().sum(1)
        parts.append(pairs)
    return torch.cat(parts, dim=1) / (sentences * (sentences - 1))


def _sum_pairs_quickly(x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Return (sum_i h_i)^2 - sum_i h_i^2 (K, F) of h = x times weight, and where (F,) that is too close to call."""
    row = weight.to(x.dtype)
    total = (row @ x).squeeze(1).double().square()
    squares = (row.square() @ x.square()).squeeze(1).double()
    pairs = total - squares
    return pairs, (pairs.abs() <= CLOSE * squares).any(0)


def z_scores(scores: Tensor) -> Tensor:
    """Standardise scores (K, F) across languages by the population standard deviation; 0 where all are equal."""
    centred = scores - scores.mean(0)
    centred -= centred.mean(0)  # what rounding left of the mean, which is much where scores are nearly equal
    spread = centred.square().mean(0).sqrt()
    equal = spread <= ROUNDING * scores.abs().amax(0)
    return (centred / torch.where(equal, 1.0, spread)).masked_fill_(equal, 0.0)


def highest_z(languages: int, shared: int = 1) -> float:
    """Return the highest z that a neuron can have which is equally a neuron of `shared` of the languages and no other.

    sqrt((K - m) / m) of m among K languages: sqrt(K - 1) for a neuron of one language only.
    """
    return sqrt((languages - shared) / shared)


def check_threshold(threshold: float, languages: int, *, name: str = "argument `threshold`") -> None:
    """Refuse a threshold that no neuron can exceed, so that it would select nothing.

    Raises:
        ValueError: if the threshold is not below the highest possible z.
    """
    highest = highest_z(languages)
    if not threshold < highest * (1 - EXACT):
        enough = f" or take at least {floor(threshold**2 + EXACT) + 2} languages" if threshold < 100 else ""
        raise ValueError(
            f"Expected {name} to be below {highest:.3f}, the highest z that a neuron can have with "
            f"{languages} languages (sqrt(K - 1)), but got {threshold}; lower the threshold{enough}"
        )

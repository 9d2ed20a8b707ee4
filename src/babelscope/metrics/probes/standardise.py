"""Standardise features by the training points, in float64 blocks that fit into the cache."""

import torch
from torch import Tensor
from torch.nn.functional import one_hot

BLOCK = 2**18  # numbers converted to float64 at a time: 2 MiB
CONSTANT = 1e-10  # a feature that varies by a smaller share of its mean varies only by rounding


def standardise(x: Tensor, train: Tensor, test: Tensor, *, offset: Tensor, group: Tensor) -> tuple[Tensor, Tensor]:
    """Subtract each point's offset, then the training points' mean, and divide by their standard deviation.

    Args:
        x: (S, D) float32 states.
        train: (n,) int64 points that give mean and deviation.
        test: (m,) int64 points.
        offset: (K, D) float64 offsets.
        group: (S,) int64 index of each point's row in `offset`.

    Returns:
        (n, D) and (m, D) float32 features; features that are constant in training are 0.
    """
    rows = max(1, BLOCK // x.shape[1])

    def read(points: Tensor) -> Tensor:
        return x[points].double().sub_(offset[group[points]])

    total, squares = (x.new_zeros(x.shape[1], dtype=torch.float64) for _ in range(2))
    for chunk in train.split(rows):
        total += read(chunk).sum(0)
    mean = total / len(train)
    for chunk in train.split(rows):
        squares += read(chunk).sub_(mean).square_().sum(0)
    spread = (squares / len(train)).sqrt_()
    spread = torch.where(spread > CONSTANT * mean.abs(), spread, torch.inf)
    z = x.new_empty(len(train) + len(test), x.shape[1])
    for chunk, own in zip(torch.cat([train, test]).split(rows), z.split(rows), strict=True):
        own.copy_(read(chunk).sub_(mean).div_(spread))
    return z[: len(train)], z[len(train) :]


def language_means(x: Tensor, language: Tensor, points: Tensor, languages: int) -> Tensor:
    """Return the float64 mean (K, D) of the given points of each language; 0 for a language without points."""
    means = x.new_zeros(languages, x.shape[1], dtype=torch.float64)
    for chunk in points.split(max(1, BLOCK // x.shape[1])):
        if x.is_cuda:  # a product, because there `index_add_` adds in no fixed order
            means += one_hot(language[chunk], languages).double().T @ x[chunk].double()
        else:
            means.index_add_(0, language[chunk], x[chunk].double())
    return means / torch.bincount(language[points], minlength=languages).clamp_min(1).unsqueeze(1)

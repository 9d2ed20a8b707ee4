"""Intervals of statistics of sentence pairs; pairs share sentences, so sentences are what is resampled."""

from collections.abc import Callable

from torch import Tensor

from babelscope.metrics.pairs.cosine_sums import CosineSums, PairMeans
from babelscope.metrics.student import t_quantile

Statistic = Callable[[PairMeans], Tensor]
"""A function of mean cosines (..., K, K) that keeps the leading dimensions, such as `lrds_of` or `sads_by_pair`."""


def interval(sums: CosineSums, statistic: Statistic) -> tuple[Tensor, Tensor]:
    """Compute the limits of a 95 % interval by the delete-one-sentence jackknife (Arvesen 1969, for U-statistics).

    Each sentence is left out in all languages at once. The interval is Student's t with n - 1 degrees of freedom around
    the statistic. It covers what other sentences of the same kind would give, in the same languages.

    Args:
        sums: Sums of cosines of n >= 3 sentences.
        statistic: Function of the mean cosines.

    Returns:
        Low and high, each of the statistic's shape.

    Raises:
        ValueError: if there are fewer than 3 sentences.
    """
    n = len(sums.same)
    if n < 3:
        raise ValueError(f"Expected at least 3 sentences for an interval over sentences, but got {n}; add sentences")
    value = statistic(sums.means)
    without = statistic(sums.leave_one_out())
    error = (without - without.mean(0)).square().sum(0).mul((n - 1) / n).sqrt()
    half = t_quantile(n - 1) * error
    return value - half, value + half

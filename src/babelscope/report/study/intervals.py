"""Intervals: Student's t over replicates, bootstraps where the statistic is no mean, Fisher's z for a correlation."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import atanh, isnan, nan, sqrt, tanh

import numpy as np
import pandas as pd
from scipy import stats

LEVEL = 0.95
DRAWS = 2000
ROUNDING = 1e-12
"""Differences below this are rounding, as between frozen layers that are the same bit by bit."""


@dataclass(frozen=True)
class Interval:
    """A value with its 95 % interval; NaN limits where n allows none."""

    value: float
    low: float
    high: float
    n: int
    """Number of units behind it."""

    @property
    def known(self) -> bool:
        """Whether there is an interval at all."""
        return not isnan(self.low)

    @property
    def half(self) -> float:
        """Half of the width."""
        return (self.high - self.low) / 2


def t_interval(values: Sequence[float] | np.ndarray | pd.Series) -> Interval:
    """Compute the mean of independent values with its interval by Student's t with n - 1 degrees of freedom.

    NaN are left out. One value has no interval, and equal values have one of width 0.
    """
    known = np.asarray(values, dtype=float)
    known = known[~np.isnan(known)]
    n = len(known)
    if n == 0:
        return Interval(nan, nan, nan, 0)
    mean = float(known.mean())
    if n == 1:
        return Interval(mean, nan, nan, 1)
    half = float(stats.t.ppf((1 + LEVEL) / 2, n - 1) * known.std(ddof=1) / sqrt(n))
    half = half if half > ROUNDING else 0.0
    return Interval(mean, mean - half, mean + half, n)


def t_intervals(rows: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Compute the t interval of the column `value` in every group: the columns of `by`, then mean, half, n."""
    groups = rows.dropna(subset="value").groupby(by, sort=False)["value"]
    table = groups.agg(mean="mean", spread="std", n="count").reset_index()
    half = stats.t.ppf((1 + LEVEL) / 2, table["n"].clip(lower=2) - 1) * table.pop("spread") / np.sqrt(table["n"])
    return table.assign(half=half.where((half > ROUNDING) | half.isna(), 0.0))[[*by, "mean", "half", "n"]]


def bootstrap_interval(
    statistic: Callable[[np.ndarray], float], value: float, *, units: int, draws: int = DRAWS
) -> tuple[float, float]:
    """Compute a percentile interval by drawing `units` units with replacement; the same draws on every call.

    Args:
        statistic: takes the places of the drawn units (units,) and gives the statistic.
        value: of the statistic on all units; without one there is no interval.
        units: number of units; fewer than two have no interval.
        draws: number of draws.
    """
    if units < 2 or isnan(value):
        return nan, nan
    places = np.random.default_rng(0).integers(0, units, (draws, units))
    drawn = np.array([statistic(place) for place in places])
    drawn = drawn[~np.isnan(drawn)]
    if len(drawn) < draws / 2:
        return nan, nan
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def rank_correlation(x: np.ndarray, y: np.ndarray) -> float:
    """Compute Spearman's rank correlation; NaN for fewer than three pairs or where one side is constant."""
    if len(x) < 3 or np.ptp(x) <= ROUNDING or np.ptp(y) <= ROUNDING:
        return nan
    return float(np.corrcoef(stats.rankdata(x), stats.rankdata(y))[0, 1])


def fisher_interval(x: np.ndarray, y: np.ndarray) -> Interval:
    """Compute Spearman's rank correlation with Fisher's z interval, by the variance of Bonett and Wright (2000).

    Fewer than five pairs have no interval.
    """
    value, n = rank_correlation(x, y), len(x)
    if isnan(value) or n < 5:
        return Interval(value, nan, nan, n)
    centre = atanh(min(max(value, -1 + 1e-9), 1 - 1e-9))
    half = float(stats.norm.ppf((1 + LEVEL) / 2)) * sqrt((1 + value**2 / 2) / (n - 3))
    return Interval(value, tanh(centre - half), tanh(centre + half), n)

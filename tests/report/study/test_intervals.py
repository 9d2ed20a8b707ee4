import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from babelscope.report.study.intervals import (
    bootstrap_interval,
    fisher_interval,
    rank_correlation,
    t_interval,
    t_intervals,
)

DRAWN = np.random.default_rng(3).normal(0.4, 0.2, 7)


@pytest.mark.parametrize("n", [2, 3, 5, 7])
def test_t_interval_is_scipys(n):
    values = DRAWN[:n]
    low, high = stats.t.interval(0.95, n - 1, loc=values.mean(), scale=stats.sem(values))
    found = t_interval(values)
    assert (found.value, found.low, found.high, found.n) == pytest.approx((values.mean(), low, high, n))
    test = stats.ttest_1samp(values, 0).confidence_interval()
    assert (found.low, found.high) == pytest.approx((test.low, test.high))


def test_one_value_has_no_interval_and_none_has_nothing():
    one = t_interval([0.3, math.nan])
    assert (one.value, one.n, one.known) == (0.3, 1, False)
    assert math.isnan(one.half)
    assert t_interval([]).n == 0


def test_equal_values_have_an_interval_of_no_width():
    found = t_interval([0.1] * 3)
    assert (found.low, found.high, found.known) == (found.value, found.value, True)


def test_intervals_of_groups_are_those_of_each():
    rows = pd.DataFrame({"setting": ["b"] * 4 + ["a"] + ["c"] * 2, "value": [*DRAWN[:4], 0.5, 0.2, 0.2]})
    table = t_intervals(rows, ["setting"]).set_index("setting")
    for setting, values in rows.groupby("setting")["value"]:
        expected = t_interval(values)
        row = table.loc[setting]
        assert (row["mean"], row["n"]) == (pytest.approx(expected.value), expected.n)
        assert row["half"] == pytest.approx(expected.half, nan_ok=True)


def test_bootstrap_covers_the_mean_about_as_t_does():
    values = np.random.default_rng(0).normal(1, 1, 60)
    low, high = bootstrap_interval(lambda places: values[places].mean(), values.mean(), units=60)
    expected = t_interval(values)
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=0.04)
    assert math.isnan(bootstrap_interval(lambda places: 0.0, 0.0, units=1)[0])


def test_rank_correlation_is_scipys_with_ties():
    x, y = np.array([1, 2, 2, 4, 5, 5.0]), np.array([3, 1, 4, 4, 9, 7.0])
    assert rank_correlation(x, y) == pytest.approx(stats.spearmanr(x, y).statistic)
    assert math.isnan(rank_correlation(x, np.ones(6)))


def test_fishers_interval_by_hand():
    x, y = np.arange(8.0), np.array([0, 2, 1, 3, 5, 4, 7, 6.0])
    found, rho = fisher_interval(x, y), stats.spearmanr(x, y).statistic
    half = 1.959963984540054 * math.sqrt((1 + rho**2 / 2) / 5)
    assert (found.low, found.high) == pytest.approx(
        (math.tanh(math.atanh(rho) - half), math.tanh(math.atanh(rho) + half))
    )
    assert not fisher_interval(x[:4], y[:4]).known

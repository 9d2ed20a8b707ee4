"""The level of intervals of metrics and analyses, and its quantile of Student's t; the report has its own."""

from scipy import stats

LEVEL = 0.95


def t_quantile(freedom: int) -> float:
    """Return the quantile of Student's t that bounds an interval of `LEVEL` on both sides, by degrees of freedom."""
    return float(stats.t.ppf((1 + LEVEL) / 2, freedom))

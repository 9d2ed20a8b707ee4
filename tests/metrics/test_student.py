import pytest

from babelscope.metrics.student import t_quantile


def test_quantiles_are_those_of_printed_tables():
    assert [t_quantile(freedom) for freedom in (1, 4, 30)] == pytest.approx([12.706, 2.776, 2.042], abs=1e-3)

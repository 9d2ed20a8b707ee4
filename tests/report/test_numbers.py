from math import nan

import pytest

from babelscope.report.numbers import number, plus_minus, signed


@pytest.mark.parametrize(
    ("value", "form", "text"),
    [
        (0.1234, ".3f", "0.123"),
        (-0.1234, "+.2f", "−0.12"),
        (-0.003, "+.2f", "0.00"),
        (0.003, "+.2f", "0.00"),
        (nan, "+.2f", ""),
    ],
)
def test_a_true_minus_no_sign_before_zero_and_nothing_for_nan(value, form, text):
    assert number(value, form) == text


def test_differences_and_intervals():
    assert [signed(value) for value in (0.0123, -0.5, -0.0, nan)] == ["+0.012", "−0.500", "0.000", ""]
    assert [plus_minus(half) for half in (0.0123, 0.0, nan)] == ["± 0.012", "± 0.000", ""]

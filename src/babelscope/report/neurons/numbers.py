"""How the page of neurons and the terminal write numbers: small ones keep two significant digits."""

from math import floor, isnan, log10

from babelscope.report import numbers

MOST_DIGITS = 5
"""Decimals at most; what is smaller is 0."""


def number(value: float, *, digits: int = 3, sign: bool = False) -> str:
    """Write a number with so many decimals, or with two significant digits where it is small; "" for NaN."""
    if 0 < abs(value) < 10 ** (1 - digits):
        digits = min(1 - floor(log10(abs(value))), MOST_DIGITS)
    text = numbers.number(value, f"{'+' if sign else ''}.{digits}f")
    return text if text.strip("0.") or not text else "0"


def limits(low: float, high: float, *, digits: int = 3, sign: bool = False) -> str:
    """Write an interval; "" for NaN."""
    if isnan(low):
        return ""
    return f"{number(low, digits=digits, sign=sign)} to {number(high, digits=digits, sign=sign)}"


def in_brackets(low: float, high: float, *, sign: bool = False) -> str:
    """Write an interval to stand behind its value, with a space before; "" for NaN."""
    return "" if isnan(low) else f" [{number(low, sign=sign)}, {number(high, sign=sign)}]"

"""How pages write numbers: with a true minus, nothing for NaN, and no sign before what is rounded to 0."""

import re
from math import isnan


def number(value: float, form: str = ".3f") -> str:
    """Write a number in a format such as "+.2f"; "" for NaN."""
    if isnan(value):
        return ""
    text = f"{value:{form}}"
    return text.replace("-", "−") if re.search("[1-9]", text) else text.lstrip("+-")


def signed(value: float) -> str:
    """Write a difference with its sign."""
    return number(value, "+.3f")


def plus_minus(half: float) -> str:
    """Write half of an interval, as "± 0.012"; "" for NaN."""
    return "" if isnan(half) else f"± {half:.3f}"

"""Names on axes: a margin has a width, so long names end in an ellipsis; the hover texts have them in full."""

from collections.abc import Iterable
from itertools import accumulate
from unicodedata import east_asian_width

from babelscope.report.words import plain

BESIDE_CELLS, BESIDE_POINTS, BESIDE_BARS = 12, 14, 17
"""Letters that fit beside a matrix, beside a narrow and beside a wide chart."""


def shorten(name: object, most: int) -> str:
    """Cut a name to so many letters from its end, with an ellipsis; wide letters count twice."""
    text = str(name)
    ends = list(accumulate(2 if east_asian_width(letter) in "WF" else 1 for letter in text))
    if not ends or ends[-1] <= most:
        return text
    return text[: sum(end < most for end in ends)] + "…"


def aliases(names: Iterable[object], most: int) -> dict[str, str]:
    """What an axis writes instead of its long names, as plotly's `labelalias`; {} where all fit."""
    cut = {str(name): shorten(name, most) for name in names}
    return {plain(name): plain(short) for name, short in cut.items() if short != name}

import re

from plotly.validator_cache import ValidatorCache

from babelscope.report.figures.marks import COLOURS, SYMBOLS, legend_html, mark_of
from babelscope.report.figures.names import aliases, shorten
from babelscope.report.page import panel_html
from babelscope.report.panels import Panel
from babelscope.verbs.report import MOST_COMPARED


def test_runs_that_are_compared_share_neither_colour_nor_symbol():
    marks = [mark_of(place) for place in range(MOST_COMPARED)]
    assert len({mark.colour for mark in marks}) == len({mark.symbol for mark in marks}) == MOST_COMPARED
    assert len({mark_of(place) for place in range(100)}) == 100
    symbols = ValidatorCache.get_validator("scatter.marker", "symbol")
    assert all(symbols.validate_coerce(symbol) == symbol for symbol in SYMBOLS)


def test_colours_differ_for_readers_who_see_no_red_or_no_green():
    # Machado, Oliveira and Fernandes 2009, full dichromacy, on linear RGB; red and green enter by one mixture each
    seen = {
        "no red": [(0.1523, 1.0526, -0.2049), (0.1145, 0.7863, 0.0992), (-0.0039, -0.0481, 1.0520)],
        "no green": [(0.3673, 0.8606, -0.2280), (0.2801, 0.6725, 0.0474), (-0.0118, 0.0429, 0.9689)],
    }
    for matrix in seen.values():
        found = [lab(matrix, colour) for colour in COLOURS]
        apart = [
            sum((a - b) ** 2 for a, b in zip(x, y, strict=True)) ** 0.5 for x in found for y in found if x is not y
        ]
        assert min(apart) > 10


def lab(matrix, colour):
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    rgb = [max(0.0, min(1.0, sum(m * c for m, c in zip(row, linear, strict=True)))) for row in matrix]
    to_xyz = ((0.4339, 0.3762, 0.1899), (0.2126, 0.7152, 0.0722), (0.0177, 0.1095, 0.8729))
    x, y, z = (sum(m * c for m, c in zip(row, rgb, strict=True)) for row in to_xyz)
    x, y, z = (v ** (1 / 3) if v > 0.008856 else 7.787 * v + 16 / 116 for v in (x, y, z))
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def test_the_legend_shows_colour_and_symbol_of_every_run():
    names = [f"<i>run {number}</i>" for number in range(MOST_COMPARED)]
    html = panel_html(Panel("", "", {}, legend=names))
    drawn = re.findall(r"<svg.*?</svg>", html)
    assert len(set(drawn)) == MOST_COMPARED
    assert all(mark_of(place).colour in svg for place, svg in enumerate(drawn))
    assert "&lt;i&gt;run 11" in html
    assert legend_html([]) == ""


def test_a_name_is_cut_only_where_it_does_not_fit():
    assert [shorten(name, 4) for name in ("abcd", "abcde", "日本", "日本語", "")] == ["abcd", "abc…", "日本", "日…", ""]
    assert aliases(["<b>x</b>", "deu"], 4) == {"&lt;b&gt;x&lt;/b&gt;": "&lt;b&gt;…"}

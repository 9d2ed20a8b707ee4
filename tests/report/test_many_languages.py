"""A run of so many languages that a figure of every pair in every layer would fill tens of megabytes."""

from itertools import product
from pathlib import Path

import pandas as pd
import pytest

from babelscope.report.figures.neighbours import draw_pairs
from babelscope.report.panels import show_run
from babelscope.report.table import COLUMNS, Run


def share(step, layer, a, b):
    return (1 + step + 10 * layer + 100 * a + 7 * b) / 1e5


def make_run(languages, layers):
    codes = [f"{chr(97 + i // 26)}{chr(97 + i % 26)}a_Latn" for i in range(languages)]
    rows = [
        ("r", step, step, str(layer), "neighbour_share", codes[a], codes[b], share(step, layer, a, b))
        for step, layer, a, b in product((0, 1), range(layers), range(languages), range(languages))
    ]
    return Run(Path("r"), {}, {}, pd.DataFrame(rows, columns=list(COLUMNS))), codes


@pytest.mark.parametrize("step", [1, None])
def test_rows_are_the_language_and_columns_its_neighbours(step):
    run, codes = make_run(4, 3)
    (heat,) = draw_pairs(run.rows, "neighbour_share", "2", step=step).data
    assert list(heat.x) == list(heat.y) == codes
    for a, b in product(range(4), range(4)):
        expected = share(1, 2, a, b) - (share(0, 2, a, b) if step is None else 0)
        assert heat.z[a][b] == (None if a == b else pytest.approx(expected, abs=1e-5))


@pytest.mark.parametrize(("languages", "shown"), [(3, 15), (101, 12)])
def test_layers_are_thinned_where_each_is_a_large_figure(languages, shown):
    run, _ = make_run(languages, 15)
    (panel,) = show_run(run)
    layers = panel.choices[1].options
    assert len(layers) == shown
    assert (layers[0], layers[-1]) == ("0", "14")
    assert ("Of the 15 layers, 12 are shown." in panel.reading) == (shown < 15)
    assert panel.views.keys() == {f"0,{depth},{when}" for depth in range(shown) for when in range(3)}
    for depth, layer in enumerate(layers):
        assert f"layer {layer}," in panel.views[f"0,{depth},2"][0].layout.title.text
    assert (panel.views["0,0,2"][0].data[0].hovertext is None) == (languages > 100)


@pytest.mark.parametrize(("languages", "every", "height"), [(66, 1, 1100), (67, 2, 1100), (20, 1, 410)])
def test_names_are_thinned_where_there_is_no_room(languages, every, height):
    run, _ = make_run(languages, 1)
    figure = draw_pairs(run.rows, "neighbour_share", "0", step=1)
    assert figure.layout.xaxis.dtick == figure.layout.yaxis.dtick == every
    assert figure.layout.height == height

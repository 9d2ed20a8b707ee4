import math

import pandas as pd
import plotly.graph_objects as go
import pytest
from tests.report.study.test_tables import study_of
from tests.report.study_runs import make_run, make_study

from babelscope.report.figures.frontier import best_of_both, draw_frontier
from babelscope.report.figures.guard import draw_guard, frozen_up_to
from babelscope.report.figures.study import draw_layer_curves, draw_transfer_map, limits_of
from babelscope.report.figures.style import depth_colours
from babelscope.report.study.curves import curves
from babelscope.report.study.panels import transfer
from babelscope.report.study.tables import language_values

POINTS = pd.DataFrame(
    {
        "x": [0.5, 0.6, 0.7, 0.4],
        "x_half": [0.1, 0.1, math.nan, 0.1],
        "y": [-0.3, -0.1, -0.2, -0.1],
        "y_half": 0.02,
        "n": 5,
        "colour": 0.9,
    },
    index=["none", "early", "late", "last"],
)


def test_the_frontier_holds_what_nothing_beats_in_both():
    assert best_of_both(POINTS["x"], POINTS["y"]) == ["early", "late"]
    assert best_of_both(-POINTS["x"], POINTS["y"]) == ["last"]
    same = pd.Series([1.0, 1.0], ["a", "b"])
    assert best_of_both(same, same) == ["a", "b"]


def test_a_setting_without_an_interval_has_no_bar():
    words = {"x_title": "zero-shot loss", "y_title": "kept", "colour_title": "source loss"}
    figure = go.Figure(draw_frontier(POINTS, ["early", "late"], flip_x=True, **words))
    marks = figure.data[1]
    assert list(marks.error_x.array) == [0.1, 0.1, None, 0.1]
    low, high = figure.layout.xaxis.range
    assert low > high  # better is right
    assert marks.marker.symbol[0] == "diamond"
    assert [width > 3 for width in marks.marker.line.width] == [False, True, True, False]


def test_equal_scores_have_a_colour_bar_without_accuracies_above_1():
    words = {"x_title": "zero-shot accuracy", "y_title": "kept", "colour_title": "source accuracy"}
    bounds = {
        score: draw_frontier(POINTS.assign(colour=score), ["early"], **words)["data"][1]["marker"]
        for score in (0.9, 0.99, 0.0, 2.5)
    }
    assert {score: (bar["cmin"], bar["cmax"]) for score, bar in bounds.items()} == {
        0.9: pytest.approx((0.85, 0.95)),
        0.99: pytest.approx((0.94, 1.0)),
        0.0: pytest.approx((0.0, 0.05)),
        2.5: pytest.approx((2.45, 2.55)),
    }
    differing = POINTS.assign(colour=[0.8, 0.9, 0.9, 0.9])
    assert "cmin" not in draw_frontier(differing, ["early"], **words)["data"][1]["marker"]


def test_differences_between_settings_are_written_as_in_tables():
    grid = pd.DataFrame({"early": [-0.001, -0.04]}, index=["tha_Thai", "deu_Latn"])
    heat = draw_transfer_map(grid, "accuracy", "own source", change=True).data[0]
    assert [line[0] for line in heat.text] == ["0.00", "−0.04"]
    assert [line[0][0] for line in heat.hovertext] == ["−0.001", "−0.040"]


def test_the_source_is_apart_and_the_rest_best_first():
    grid = pd.DataFrame({"none": [0.9, 0.3, 0.6], "early": [0.9, 0.5, 0.7]}, index=["", "tha_Thai", "deu_Latn"])
    figure = draw_transfer_map(grid, "accuracy", "eng_Latn (source)")
    heat = figure.data[0]
    assert figure.layout.yaxis.labelalias == {"eng_Latn (source)": "<b>eng_Latn (source)</b>"}
    assert list(heat.y) == ["eng_Latn (source)", " ", "deu_Latn", "tha_Thai"]
    assert list(heat.z[1]) == [None, None]
    assert list(heat.z[2]) == [0.6, 0.7]


def test_transfer_is_the_mean_over_runs_of_every_language_and_setting():
    study = study_of(make_study(("none", "early"), range(3)))
    panel = transfer(study, language_values(study))
    tests = {(run.setting, run.seed): run.tests for run in study.runs}
    means = {name: sum(tests[name, str(seed)] for seed in range(3)) / 3 for name in ("none", "early")}
    kinds = {"0,0": means, "1,0": {"early": means["early"] - means["none"]}}
    assert panel.choices[0].options == ["value", "difference to none"]
    for view, expected in kinds.items():
        heat = panel.views[view][0].data[0]
        assert list(heat.x) == list(expected)
        assert heat.y[:2] == ("eng_Latn (source)", " ")
        assert set(heat.y[2:]) == set(means["none"].index) - {"eng_Latn"}
        for language, line in zip(("eng_Latn", *heat.y[2:]), (heat.z[0], *heat.z[2:]), strict=True):
            assert list(line) == pytest.approx([each[language] for each in expected.values()], abs=1e-4), language


def test_the_frontier_places_settings_by_what_they_are_given():
    words = {"x_title": "zero-shot accuracy", "y_title": "kept", "colour_title": "source accuracy"}
    line, marks = draw_frontier(POINTS, ["early", "late"], **words)["data"]
    assert marks["text"] == ["none", "early", "late", "last"]
    assert (marks["x"], marks["y"]) == ([0.5, 0.6, 0.7, 0.4], [-0.3, -0.1, -0.2, -0.1])
    assert (line["x"], line["y"]) == ([0.6, 0.7], [-0.1, -0.2])
    assert marks["error_x"]["array"] == [0.1, 0.1, None, 0.1]
    assert marks["error_y"]["array"] == [0.02] * 4
    assert marks["marker"]["color"] == [0.9] * 4


def test_curves_have_bands_where_there_is_an_interval():
    line = pd.DataFrame({"layer": ["0", "0", "1", "1"], "step": [0, 1] * 2, "mean": 0.5, "half": 0.1, "n": 3})
    limits = limits_of([line])
    assert limits == pytest.approx((0.39, 0.61))
    assert len(go.Figure(draw_layer_curves(line, "mexa", "none", limits)).data) == 4  # plotly checks it here
    assert len(go.Figure(draw_layer_curves(line.assign(half=math.nan), "mexa", "none", limits)).data) == 2


def test_panels_of_curves_have_thirds_and_settings():
    by_part, by_layer = curves(study_of(make_study(("none", "early"), range(2))))
    assert [go.Figure(figure).layout.title.text for figure in by_part.views["0"]] == [
        "Early layers",
        "Middle layers",
        "Last layers",
    ]
    assert [go.Figure(figure).layout.title.text for figure in by_layer.views["0"]] == ["none", "early"]
    assert by_part.choices[0].options == ["MEXA", "ILO"]


def test_the_guards_falls_and_decisions_are_drawn():
    rows = make_run("guard").rows
    figure = draw_guard(rows, "run")
    assert len(figure.data) == 4
    assert list(figure.data[3].y) == [0.05, 0.07]
    assert [note.text for note in figure.layout.annotations] == ["inputs and blocks 0-2"]
    assert [frozen_up_to(layer) for layer in ("0", "1")] == ["inputs", "inputs and block 0"]


def test_layers_are_shaded_from_input_to_output():
    assert depth_colours(3) == ["#d9792b", "#8a6cc0", "#2a86b8"]
    assert depth_colours(1) == ["#d9792b"]

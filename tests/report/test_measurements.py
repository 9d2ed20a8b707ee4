"""Callbacks that measure at steps of their own: the page offers of each metric what was measured of it."""

import pandas as pd
import pytest
from tests.report.test_page import panels

from babelscope.report import page
from babelscope.report.figures import comparison, growth
from babelscope.report.neurons.summary import Checkpoint
from babelscope.report.panels import show_run
from babelscope.report.settings import settings_html
from babelscope.report.table import Run


def keep(run, metric, steps):
    """Leave one metric its rows at some steps."""
    rows = run.rows
    return Run(run.folder, run.config, run.manifest, rows[(rows["metric"] != metric) | rows["step"].isin(steps)])


def by_title(run):
    return {panel.title: panel for panel in show_run(run)}


@pytest.fixture
def run(make_run):
    return make_run(steps=3)  # at 0, 40 and 80


@pytest.mark.parametrize("steps", [(0,), (0, 80), (40, 80)])
def test_a_metric_measured_more_rarely_has_a_panel_of_its_own(run, steps):
    rare = keep(run, "knn_lid", steps)
    for panel in panels(page.render([rare])):
        number = 1
        for choice in panel["choices"]:
            number *= len(choice["options"])
        # "change" is the only view that may be left out of the product: of what was measured once
        assert len(panel["views"]) == number
    found = by_title(rare)
    often = next(
        panel for title, panel in found.items() if title.startswith("Scores by layer, one line per language: ILO, ")
    )
    own = found["Scores by layer, one line per language: language by neighbours"]
    assert often.choices[1].options == ["0", "1", "2"]
    assert own.choices[0].options == ["language by neighbours"]
    assert own.choices[1].options == [str(step // 40) for step in steps]


def test_metrics_measured_equally_often_at_other_steps_have_titles_of_their_own(run):
    apart = keep(keep(run, "knn_lid", (0, 80)), "ilo", (0, 40))
    titles = [panel.title for panel in show_run(apart)]
    assert len(set(titles)) == len(titles)
    assert {
        "Scores by layer, one line per language: ILO",
        "Scores by layer, one line per language: language by neighbours",
    } <= {*titles}


def test_notes_are_of_what_the_table_shows(run):
    assert "ILO and separability: mean over a third" in settings_html([run])
    assert '"reading">Separability: mean' in settings_html([keep(run, "ilo", ())])
    task = run.rows[run.rows["layer"] == ""]
    assert "third of the layers" not in settings_html([Run(run.folder, run.config, run.manifest, task)])


def test_moments_are_named_alike_on_the_whole_page(run):
    # measured twice in an epoch, so steps are counted, also where a metric was measured once per epoch
    run.rows.loc[run.rows["step"] == 40, "epoch"] = 2
    found = by_title(keep(run, "knn_lid", (0, 80)))
    own = found["Scores by layer, one line per language: language by neighbours"]
    assert (own.choices[1].label, own.choices[1].options) == ("Training steps", ["0", "80"])
    assert "training steps: 80" in own.views["0,1"][0]["layout"]["title"]["text"]
    heat_maps = found["Scores by layer and training step"].views["0"]
    assert {figure["layout"]["xaxis"]["title"]["text"] for figure in heat_maps} == {"training steps"}
    assert list(heat_maps[-1]["data"][0]["x"]) == ["0", "80"]


def test_a_difference_of_runs_names_moments_as_their_pages_do(run):
    rows = run.rows.assign(epoch=run.rows["epoch"].where(run.rows["step"] != 40, 2), run="a")
    rows = rows[(rows["metric"] != "knn_lid") | (rows["step"] != 40)]
    both = pd.concat([rows, rows.assign(run="b")], ignore_index=True)
    assert list(comparison.draw_difference(both, "knn_lid", "a", "b").data[0].x) == ["0", "80"]


def test_what_was_measured_once_has_not_changed_by_0(run):
    once = keep(run, "knn_lid", (0,))
    heat_maps = by_title(once)["Scores by layer and training step"].views
    assert len(heat_maps["1"]) == len(heat_maps["0"]) - 1
    assert "→" in settings_html([run])
    alone = run.rows[(run.rows["layer"] == "") | (run.rows["step"] == 0)]
    assert "→" not in settings_html([Run(run.folder, run.config, run.manifest, alone)])


def test_pairs_measured_more_rarely_have_a_panel_of_their_own(run):
    again = run.rows[(run.rows["other"] != "") & (run.rows["step"] > 0) & (run.rows["layer"] == "3")]
    whole = run.rows[(run.rows["other"] != "") & (run.rows["layer"] == "3")].assign(layer="", metric="z_overlap")
    rows = pd.concat([run.rows, again.assign(metric="rare"), whole], ignore_index=True)
    found = by_title(Run(run.folder, run.config, run.manifest, rows))
    assert found["Languages of the nearest neighbours: share of neighbours"].choices[0].options == [
        "share of neighbours"
    ]
    rare = found["Languages of the nearest neighbours: rare"]
    assert (rare.choices[0].options, rare.choices[1].options) == (["rare"], ["3"])
    for figures in rare.views.values():
        assert any(value is not None for line in figures[0]["data"][0]["z"] for value in line)


def test_growth_starts_at_the_first_checkpoint_that_has_the_measure(run, monkeypatch):
    monkeypatch.setattr(growth, "profile", growth.over_layers)
    without = Run(run.folder, run.config, run.manifest, run.rows[run.rows["metric"] != "ilo"])
    last = Run(run.folder, run.config, run.manifest, run.rows[run.rows["step"] == 80])
    line = [Checkpoint(without, 1), Checkpoint(last, 2)]
    heat = growth.draw_growth_layers({"a": line}, "ilo", change=True)[0]["data"][0]
    assert list(heat["x"]) == ["2"]
    assert all(line == [0.0] for line in heat["z"])

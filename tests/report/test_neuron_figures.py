from dataclasses import replace

import pandas as pd
import pytest
from tests.report.neuron_runs import LANGUAGES, make_growth, make_neurons, without

from babelscope.report.ablation_panels import under_ablation
from babelscope.report.figures.deactivation import draw_deactivation, draw_own
from babelscope.report.figures.growth import draw_growth, draw_growth_layers
from babelscope.report.figures.matrices import draw_matrix
from babelscope.report.figures.neurons import draw_agreement, draw_alignment, draw_regions
from babelscope.report.neuron_panels import show_neurons
from babelscope.report.neuron_summary import lines_of, whole


def test_deactivation_diverges_at_zero_and_shares_its_colours_with_the_control():
    left, right = draw_deactivation(make_neurons(), "loss")
    assert left.data[0].zmin == -left.data[0].zmax == right.data[0].zmin
    assert left.data[0].reversescale
    assert "perplexity × " in left.data[0].customdata[0][0]
    assert "[" in left.data[0].customdata[0][0]
    assert len(draw_deactivation(make_neurons(), "bits_per_byte")) == 1  # random neurons have nats only
    assert [trace.name for trace in draw_own(make_neurons()).data][-1] == "in its own language"


def test_other_measurements_stand_beside_random_neurons_as_differences_to_the_intact_model():
    layers, task = (panel for panel in under_ablation(make_neurons()) if panel)
    (figures,) = layers.views.values()
    ablated, random = (figure.data[0] for figure in figures)
    assert ablated.zmax == random.zmax == -ablated.zmin
    assert max(max(line) for line in ablated.z) <= 0
    assert task.views["0"][0].data[0].z[0] == pytest.approx((-0.35, *[-0.05] * 5))
    assert len(task.views["0"][0].layout.shapes) == len(LANGUAGES)
    unknown, _ = filter(None, under_ablation(without(make_neurons(), "intact_ilo")))
    assert unknown.views["0"][0].data[0].zmin == 0
    assert "intact" not in unknown.views["0"][0].layout.title.text


def test_alignment_has_interval_null_and_the_released_stride():
    run = make_neurons()
    sads = draw_alignment(run, "sads")
    assert len(sads.data) == 4
    assert [note.text for note in sads.layout.annotations if "stride" in note.text] == ["released stride"]
    assert f"whole model {whole(run, 'sads'):.2f}" in {note.text for note in sads.layout.annotations}
    bare = draw_alignment(without(run, "sads_"), "sads")
    assert len(bare.data) == 1


def test_regions_are_drawn_on_a_log_scale():
    figure = draw_regions(make_neurons(), "z")
    (heat,) = figure.data
    assert heat.y == ("1", "2", "3", "4", "5", "6")
    assert max(max(line) for line in heat.z) < 3
    assert list(heat.colorbar.ticktext)[:2] == ["0", "1"]
    assert "neurons, " in heat.customdata[0][0]


def test_languages_without_a_region_are_in_no_comparison_of_criteria():
    run = make_neurons()
    gone = run.rows["metric"].str.startswith("z_lape") & (run.rows["language"] == "zho_Hans")
    run = replace(run, rows=run.rows.assign(value=run.rows["value"].where(~gone, 0.0)))
    assert set(draw_agreement(run, "z", "lape").data[0].y) == set(LANGUAGES) - {"zho_Hans"}
    nothing = run.rows["value"].where(~run.rows["metric"].str.startswith("z_lape"), 0.0)
    panels = show_neurons(replace(run, rows=run.rows.assign(value=nothing)))
    assert not [panel for panel in panels if panel.title.startswith("Do the criteria")]


def test_growth_sets_repeated_weights_apart():
    lines = lines_of([*make_growth(), make_neurons(step=None, weights="lab_bloom800")])
    traces = draw_growth(lines, "sads").data
    assert [(trace.mode, list(trace.x)) for trace in traces[:2]] == [
        ("lines+markers", ["0", "100", "200", "400"]),
        ("markers", ["800"]),
    ]
    layers = draw_growth_layers("lab_bloom", lines["lab_bloom"], "z_neurons", change=True)
    assert layers.data[0].x == ("0", "100", "200", "400", "800")
    assert {line[0] for line in layers.data[0].z} == {0.0}


def test_big_matrices_have_no_cell_texts():
    codes = [f"l{number:02d}_Latn" for number in range(31)]
    grid = pd.DataFrame(1.0, index=codes, columns=codes)
    assert draw_matrix(grid, "", "%{z}").data[0].texttemplate is None
    assert draw_matrix(grid.iloc[:, :12], "", "%{z}").data[0].texttemplate
    assert 31 * 15 < draw_matrix(grid, "", "%{z}").layout.height < 800
    empty = draw_matrix(grid * float("nan"), "", "%{z}")
    assert empty.data[0].zmax == 1

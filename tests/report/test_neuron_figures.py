from dataclasses import replace

import pandas as pd
import pytest
from tests.report.neuron_runs import LANGUAGES, make_growth, make_neurons, without

from babelscope.report.figures import places
from babelscope.report.figures.ablation import draw_ablation, draw_own
from babelscope.report.figures.growth import draw_growth, draw_growth_layers
from babelscope.report.figures.matrices import draw_matrix
from babelscope.report.figures.neurons import draw_agreement, draw_alignment, draw_regions
from babelscope.report.figures.places import draw_places
from babelscope.report.neurons.ablation import under_ablation
from babelscope.report.neurons.panels import show_neurons
from babelscope.report.neurons.summary import lines_of, model_value


def test_losses_diverge_at_zero_and_shares_its_colours_with_the_control():
    left, right = draw_ablation(make_neurons(), "loss")
    assert left.data[0].zmin == -left.data[0].zmax == right.data[0].zmin
    assert left.data[0].reversescale
    assert "perplexity × " in left.data[0].customdata[0][0]
    assert "[" in left.data[0].customdata[0][0]
    assert [trace.name for trace in draw_own(make_neurons()).data][-1] == "in its own language"


def test_both_units_of_loss_look_alike_and_rows_without_controls_are_drawn():
    run = make_neurons()
    nats, bits = draw_ablation(run, "loss"), draw_ablation(run, "bits_per_byte")
    assert len(nats) == len(bits) == 2
    assert all("[" in figure.data[0].customdata[0][0] for figure in bits)
    assert bits[0].data[0].z[0][0] == pytest.approx(nats[0].data[0].z[0][0] / 3, abs=1e-3)
    assert "bits per byte" in draw_own(run, "bits_per_byte").layout.title.text
    old = without(run, "random_bits", "ablated_bits_per_byte_")
    (figure,) = draw_ablation(old, "bits_per_byte")
    assert "[" not in figure.data[0].customdata[0][0]
    assert draw_own(old, "bits_per_byte").data


def test_small_effects_keep_their_places_and_their_digits():
    run = make_neurons()
    of_loss = run.rows["metric"].str.startswith(("ablated_loss", "random_loss"))
    run = replace(run, rows=run.rows.assign(value=run.rows["value"].where(~of_loss, run.rows["value"] * 1e-4)))
    figure = draw_own(run)
    assert figure.layout.xaxis.tickformat == "+~g"
    effects = run.rows[(run.rows["metric"] == "ablated_loss") & (run.rows["language"] == run.rows["other"])]
    (own,) = (trace for trace in figure.data if trace.name == "in its own language")
    assert sorted(own.x) == pytest.approx(sorted(effects["value"]), rel=0.01)
    assert all(
        float(text.split()[0].replace("−", "-")) == pytest.approx(x, abs=6e-6) != 0
        for text, x in zip(own.text, own.x, strict=True)
    )
    assert "%{x" not in own.hovertemplate
    hover = draw_ablation(run, "loss")[0].data[0].hovertext
    assert any(text[0].strip("+−") not in ("0.00000", "0.000") for line in hover for text in line)


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
    assert [note.text for note in sads.layout.annotations if "stride" in note.text] == ["published stride"]
    assert f"whole model {model_value(run, 'sads'):.2f}" in {note.text for note in sads.layout.annotations}
    bare = draw_alignment(without(run, "sads_"), "sads")
    assert len(bare.data) == 1


def test_regions_are_drawn_on_a_log_scale():
    figure = draw_regions(make_neurons(), "z")
    heat, *texts = figure.data
    assert heat.y == ("1", "2", "3", "4", "5", "6")
    assert max(max(line) for line in heat.z) < 3
    assert list(heat.colorbar.ticktext)[:2] == ["0", "1"]
    assert "neurons, " in heat.customdata[0][0]
    assert "shuffled languages: 0.5" in heat.customdata[0][0]
    assert {text.hoverinfo for text in texts} == {"skip"}


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
    small, large = (figure.data[0] for figure in draw_growth_layers(lines, "z_neurons", change=True))
    assert large.x == ("0", "100", "200", "400", "800")
    assert {line[0] for line in large.z} == {0.0}
    assert small.zmax == large.zmax == -large.zmin
    assert {figure.data[0].zmin for figure in draw_growth_layers(lines, "z_neurons")} == {0.0}


def test_numbers_in_cells_can_be_read_on_every_colour():
    grid = pd.DataFrame({"a": [-1.0, -0.00001, float("nan")], "b": [0.5, 1.0, 0.0]})
    heat, ink, paper = draw_matrix(grid, "", "%{z}", digits="+.2f").data
    assert heat.texttemplate is None
    assert [line[0] is None for line in ink.z] == [True, False, True]
    assert [line[0] is None for line in paper.z] == [False, True, True]
    assert ink.z[0][1] == 0.5  # blue of middle lightness
    assert [line[0] for line in ink.text] == ["", "0.00", ""]
    assert [line[0] for line in paper.text] == ["−1.00", "", ""]


def test_languages_far_from_all_others_are_named_and_no_mark_hides_another():
    run = make_neurons()
    shares = [0.3, 0.31, 0.3, 0.3, 0.31, 0.9]
    early = (run.rows["metric"] == "z_share_early") & (run.rows["language"] != "")
    values = run.rows["value"].copy()
    values[early] = shares
    figure = draw_places(replace(run, rows=run.rows.assign(value=values)), "z")
    marks, *_ = figure.data
    assert [note.text for note in figure.layout.annotations if note.x < 0.5] == [LANGUAGES[-1]]
    assert len(set(zip(marks.x, [round(y, 1) for y in marks.y], strict=True))) == len(LANGUAGES)
    gone = run.rows["metric"].str.contains("_share_")
    assert draw_places(replace(run, rows=run.rows.assign(value=run.rows["value"].mask(gone))), "z").data


def test_names_of_languages_at_nearly_one_height_stand_below_each_other(monkeypatch):
    monkeypatch.setattr(places, "_outliers", lambda shares: set(shares.index[-2:]))
    run = make_neurons()
    early = (run.rows["metric"] == "z_share_early") & (run.rows["language"] != "")
    values = run.rows["value"].copy()
    values[early] = [0.3, 0.3, 0.3, 0.3, 0.89, 0.9]
    figure = draw_places(replace(run, rows=run.rows.assign(value=values)), "z")
    first, second = (note for note in figure.layout.annotations if note.x < 0.5)
    low, high = figure.layout.yaxis.range
    height = figure.layout.height - figure.layout.margin.t - figure.layout.margin.b
    assert (first.y - second.y) / (high - low) * height >= 12
    assert first.x >= max(x for x, y in zip(figure.data[0].x, figure.data[0].y, strict=True) if y > 0.8)


def test_big_matrices_have_no_cell_texts():
    codes = [f"l{number:02d}_Latn" for number in range(31)]
    grid = pd.DataFrame(1.0, index=codes, columns=codes)
    assert len(draw_matrix(grid, "", "%{z}", digits=".2f").data) == 1
    assert len(draw_matrix(grid.iloc[:, :12], "", "%{z}", digits=".2f").data) == 2
    assert 31 * 15 < draw_matrix(grid, "", "%{z}").layout.height < 800
    empty = draw_matrix(grid * float("nan"), "", "%{z}")
    assert empty.data[0].zmax == 1

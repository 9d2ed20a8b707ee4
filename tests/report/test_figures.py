import pandas as pd
import pytest

from babelscope.report import summary
from babelscope.report.comparison_panels import compare_runs
from babelscope.report.figures import comparison, freezing, layers, neighbours, style, task
from babelscope.report.runs import gather, source_of
from babelscope.report.words import layer_metrics, words_of

LAYERS = ["0", "1", "2", "3", "4", "5", "6", "final"]


def value(rows, metric, step, layer):
    chosen = summary.by_layer(rows, metric)
    return chosen[(chosen["step"] == step) & (chosen["layer"] == layer)]["value"].item()


def test_layer_metrics_leave_out_nulls_and_pairs(runs):
    found = layer_metrics(runs[0].rows)
    assert found == ["ilo", "bridge", "reach", "separability", "separability_centred", "knn_lid"]


def test_a_metric_under_another_name_keeps_its_words():
    words = words_of("ilo_wide/ilo")
    assert (words.name, words.null, words.kind) == ("ILO (ilo_wide)", "ilo_wide/ilo_null", "alignment")
    assert words_of("two_nn").title == "two nn"


def test_heat_map_has_layers_by_steps(runs):
    rows = runs[0].rows
    heat = layers.draw_heat_map(rows, "ilo").data[0]
    assert list(heat.y) == LAYERS
    assert list(heat.x) == list("012345")
    assert heat.z[3][5] == pytest.approx(value(rows, "ilo", 200, "3"), abs=1e-4)
    change = layers.draw_heat_map(rows, "ilo", change=True).data[0]
    assert change.z[3][0] == 0
    expected = value(rows, "ilo", 200, "3") - value(rows, "ilo", 0, "3")
    assert change.z[3][5] == pytest.approx(expected, abs=1e-4)
    assert change.zmin == -change.zmax


def test_curves_show_mean_null_start_and_source(runs):
    figure = layers.draw_curves(runs[0].rows, "ilo", 200, source=source_of(runs[0]))
    texts = {note.text for note in figure.layout.annotations}
    assert texts == {"mean", "mixing null", "first measured", "eng_Latn (source)"}
    everyone = next(trace for trace in figure.data if trace.meta == "languages")
    assert len(set(everyone.customdata)) == 24
    first = layers.draw_curves(runs[0].rows, "separability", 0)
    assert {note.text for note in first.layout.annotations} == {"separability", "chance"}


def test_a_breakdown_by_writing_system_is_drawn_as_thin_lines():
    keys = {"run": "a", "step": 0, "epoch": 0, "language": "", "other": ""}
    values = {"script_separability": 0.8, "script_separability/Latn": 0.9, "script_separability/Thai": 0.7}
    rows = pd.DataFrame([keys | {"layer": la, "metric": m, "value": v} for la in "01" for m, v in values.items()])
    assert layer_metrics(rows) == ["script_separability"]
    figure = layers.draw_curves(rows, "script_separability", 0)
    everyone = next(trace for trace in figure.data if trace.meta == "languages")
    assert set(everyone.customdata) == {"Latn", "Thai"}


def test_pairs_leave_the_diagonal_out(runs):
    figure = neighbours.draw_pairs(runs[0].rows, "neighbour_share", "3", step=0)
    heat = figure.data[0]
    assert [heat.z[i][i] for i in range(24)] == [None] * 24
    assert [code[-4:] for code in heat.y] == sorted(code[-4:] for code in heat.y)
    change = neighbours.draw_pairs(runs[0].rows, "neighbour_share", "3").data[0]
    assert change.zmin == -change.zmax


def shares(step, layer, values):
    """Rows of neighbour_share of three languages, language by other."""
    codes = ["deu_Latn", "eng_Latn", "tha_Thai"]
    keys = {"run": "a", "step": step, "epoch": step, "layer": layer, "metric": "neighbour_share"}
    lines = zip(codes, values, strict=True)
    return [
        keys | {"language": a, "other": b, "value": v} for a, line in lines for b, v in zip(codes, line, strict=True)
    ]


def test_a_row_of_pairs_is_a_language_and_a_column_where_its_neighbours_lie():
    first, last = [[0.4, 0.6, 0], [0.1, 0.2, 0.7], [0.5, 0.3, 0.2]], [[0, 0.9, 0.1], [0.25, 0, 0.75], [0.5, 0.1, 0.4]]
    elsewhere = [[0.9] * 3] * 3
    rows = pd.DataFrame(shares(0, "1", first) + shares(5, "1", last) + shares(0, "2", elsewhere))
    at_first, at_last = (neighbours.draw_pairs(rows, "neighbour_share", "1", step=step).data[0] for step in (0, 5))
    change = neighbours.draw_pairs(rows, "neighbour_share", "1").data[0]
    assert list(at_first.y) == list(at_first.x) == ["deu_Latn", "eng_Latn", "tha_Thai"]
    assert [list(line) for line in at_first.z] == [[None, 0.6, 0], [0.1, None, 0.7], [0.5, 0.3, None]]
    assert [list(line) for line in at_last.z] == [[None, 0.9, 0.1], [0.25, None, 0.75], [0.5, 0.1, None]]
    assert [list(line) for line in change.z] == [[None, 0.3, 0.1], [0.15, None, 0.05], [0, -0.2, None]]
    assert change.hovertext[2][1] == ["−0.200"]
    assert change.hovertemplate.startswith("%{y}: %{hovertext[0]} of its neighbours are %{x}")


def test_transfer_shows_the_score_of_every_run_in_every_language():
    table = pd.DataFrame({"a": [0.5, 0.9, 0.1], "b": [0.25, 0.75, None]}, index=["tha_Thai", "eng_Latn", "zho_Hans"])
    stems, a, b = task.draw_transfer(table, {"a": "eng_Latn", "b": "tha_Thai"}, "accuracy").data
    names = ("eng_Latn", "tha_Thai", "zho_Hans")  # best mean first
    assert a.y == b.y == names
    assert (a.name, a.x) == ("a", (0.9, 0.5, 0.1))
    assert (b.name, b.x) == ("b", (0.75, 0.25, None))
    assert (a.text[0], a.text[1], b.text[0], b.text[1]) == (
        "source language",
        "zero-shot",
        "zero-shot",
        "source language",
    )
    assert stems.x == (0.75, 0.9, None, 0.25, 0.5, None, 0.1, 0.1, None)
    assert stems.y == ("eng_Latn", "eng_Latn", None, "tha_Thai", "tha_Thai", None, "zho_Hans", "zho_Hans", None)
    loss = task.draw_transfer(table, {}, "loss").data[1]
    assert (loss.y, loss.x) == (names[::-1], (0.1, 0.5, 0.9))


def test_transfer_is_sorted_and_marks_the_source(runs):
    table = summary.transfer_table(runs)
    figure = task.draw_transfer(table, dict.fromkeys(table.columns, "eng_Latn"), "accuracy")
    assert figure.data[1].y[0] == "eng_Latn"
    assert figure.data[1].text[:2] == ("source language", "zero-shot")
    assert figure.layout.yaxis.ticktext[0] == "<b>eng_Latn (source)</b>"


def test_transfer_leaves_its_legend_to_the_panel(runs):
    table = summary.transfer_table(runs)
    many = pd.concat([table.add_suffix(f" {number}") for number in range(6)], axis=1)
    few, more = (task.draw_transfer(each, {}, "accuracy").layout for each in (table, many))
    assert not more.showlegend
    assert few.height == more.height
    panel = next(panel for panel in compare_runs(runs) if panel.title.startswith("How far the task"))
    assert panel.legend == list(table.columns)


def test_long_names_of_languages_keep_their_beginning(runs):
    long = "a_very_very_long_language_name_Latn"
    table = pd.DataFrame({"a": [0.9, 0.4]}, index=[long, "deu_Latn"])
    figure = task.draw_transfer(table, {"a": long}, "accuracy")
    assert figure.layout.yaxis.ticktext == ("<b>a_very_… (source)</b>", "deu_Latn")
    assert figure.data[1].customdata[0] == long
    renamed = runs[0].rows.replace({"language": {"eng_Latn": long}, "other": {"eng_Latn": long}})
    figure = neighbours.draw_pairs(renamed, "neighbour_share", "3", step=0)
    assert figure.layout.xaxis.labelalias == figure.layout.yaxis.labelalias == {long: "a_very_very…"}
    place = figure.data[0].x.index(long)
    assert figure.data[0].hovertext[place][0] == [long, figure.data[0].x[0]]


def test_task_curves_follow_the_runs(runs):
    figure = task.draw_task(gather(runs), "validation_loss", "Loss")
    assert [len(trace.x) for trace in figure.data] == [6, 6]


def test_freezing_tells_trained_from_frozen():
    parts = {
        "a": [
            {"part": "inputs", "parameters": 2_000, "trainable": 0},
            {"part": "block 0", "parameters": 10, "trainable": 4},
        ]
    }
    heat = freezing.draw_freezing(parts).data[0]
    assert [line[0] for line in heat.z] == [0, 0.4]
    assert [line[0] for line in heat.text] == ["2 k frozen", "4 of 10 trained"]


def test_differences_are_written_as_in_tables(runs):
    rows = gather(runs)
    lower = (rows["run"] == "freeze=early") & (rows["step"] == 0)
    shifted = rows.assign(value=rows["value"].where(~lower, rows["value"] - 0.001))
    for heat in (
        comparison.draw_difference(shifted, "ilo", "freeze=early", "freeze=none").data[0],
        layers.draw_heat_map(runs[0].rows, "ilo", change=True).data[0],
    ):
        assert heat.texttemplate == "%{text}"
        assert heat.text[0][0] == "0.00"
        said = [text for line in heat.text for text in line] + [text for line in heat.hovertext for (text,) in line]
        assert not [text for text in said if "-" in text or text in ("+0.00", "−0.00")]
    # numbers that plotly writes as tables do are not repeated for the hover text
    assert layers.draw_heat_map(runs[0].rows, "ilo").data[0].hovertext is None


def test_difference_needs_shared_steps(runs, make_run):
    rows = gather(runs)
    early, none = "freeze=early", "freeze=none"
    heat = comparison.draw_difference(rows, "ilo", early, none).data[0]
    of = {name: rows[rows["run"] == name] for name in (early, none)}
    expected = value(of[early], "ilo", 200, "0") - value(of[none], "ilo", 200, "0")
    assert heat.z[0][5] == pytest.approx(expected, abs=1e-4)
    shifted = rows.assign(step=rows["step"] + (rows["run"] == early))
    assert comparison.draw_difference(shifted, "ilo", early, none) is None


def test_steps_are_named_by_step_where_epochs_repeat(runs):
    rows = runs[0].rows
    assert style.moments(rows)[0] == "completed epochs"
    counted, names = style.moments(rows.assign(epoch=0))
    assert counted == "training steps"
    assert list(names.values()) == ["0", "40", "80", "120", "160", "200"]


def test_labels_at_line_ends_do_not_overlap():
    placed = style.end_labels([("a", 0.5, "#000000"), ("b", 0.5, "#000000"), ("c", float("nan"), "#000000")], 1, 1.0)
    assert [label["text"] for label in placed] == ["a", "b"]
    assert placed[1]["yshift"] - placed[0]["yshift"] >= 14


def test_labels_at_the_top_are_moved_down():
    ends = [(name, y, "#000000") for name, y in (("a", 0.99), ("b", 0.98), ("c", 1.0), ("d", 0.2))]
    placed = style.end_labels(ends, 1, 1.0, height=300, top=1.0)
    at = {label["text"]: label["y"] + label["yshift"] / 300 for label in placed}
    assert at == pytest.approx({"c": 1.0, "a": 0.95, "b": 0.9, "d": 0.2})

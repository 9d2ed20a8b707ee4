"""The figures of token tables say what the rows say, with chance beside it."""

import pytest
from tests.report.test_tokens_page import pair_rows, row, table_rows, write_run

from babelscope.report import table
from babelscope.report.figures.token_deciles import draw_deciles
from babelscope.report.figures.tokens import draw_counts
from babelscope.report.tokens.page import render_tokens
from babelscope.report.tokens.panels import compare_tables
from babelscope.report.tokens.summary import pair_table, token_table


@pytest.fixture
def run_of(tmp_path):
    def make(*rows, name="one", **manifest):
        folder = write_run(tmp_path / name, rows, manifest or {"token_table": name})
        return table.read_run(folder)

    return make


def upright(figure):
    return {line.line.dash: (line.x0, line.x1) for line in figure.layout.shapes if line.yref == "paper"}


def across(figure):
    return {line.line.dash: (line.y0, line.y1) for line in figure.layout.shapes if line.xref == "paper"}


def by_title(tables, pairs=()):
    return {panel.title: panel for panel in compare_tables(tables, pairs)}


def test_counts_of_scripts_are_drawn_beside_what_random_neighbours_have(run_of):
    shares = (row("neighbour_scripts_share@50", value, other=str(number)) for number, value in ((2, 0.25), (10, 0.75)))
    means = row("neighbour_scripts@50", 8.0), row("neighbour_scripts_null@50", 9.5)
    figure = draw_counts([run_of(*shares, *means)], 50)
    assert (figure.data[0].x, figure.data[0].y) == ((2, 10), (0.25, 0.75))
    assert upright(figure) == {"solid": (8, 8), "dash": (9.5, 9.5)}
    assert [(note.x, note.text) for note in figure.layout.annotations] == [(8, "mean"), (9.5, "random neighbours")]


def test_every_table_has_its_own_chance_in_the_figure_of_counts(run_of):
    runs = [
        run_of(
            row("neighbour_scripts_share@5", 1.0, other="3"),
            row("neighbour_scripts@5", 3.0 + place),
            row("neighbour_scripts_null@5", 4.0 + place),
            name=name,
        )
        for place, name in enumerate(("one", "two"))
    ]
    figure = draw_counts(runs, 5)
    assert [(line.x0, line.line.dash) for line in figure.layout.shapes] == [
        (3, "solid"),
        (4, "dash"),
        (4, "solid"),
        (5, "dash"),
    ]
    colours = [line.line.color for line in figure.layout.shapes]
    assert colours == [figure.data[place].line.color for place in (0, 0, 1, 1)]


def test_frequency_goes_from_rare_to_frequent_beside_mean_and_chance(run_of):
    rows = [row("neighbour_scripts_decile@5", number / 10, other=str(number)) for number in (10, 1, 2, 9)]
    means = row("neighbour_scripts@5", 0.55), row("neighbour_scripts_null@5", 3.5)
    panels = by_title([run_of(*rows, *means)])
    (panel,) = (panel for title, panel in panels.items() if "rare tokens" in title)
    assert panel.choices[0].options == ["5"]
    (figure,) = panel.views["0"]
    assert (figure.data[0].x, figure.data[0].y) == ((1, 2, 9, 10), (0.1, 0.2, 0.9, 1.0))
    assert across(figure) == {"solid": (0.55, 0.55), "dash": (3.5, 3.5)}
    assert "1 rarest, 10 most frequent" in figure.layout.xaxis.title.text


def test_tokens_that_do_not_occur_are_a_mark_at_0(run_of):
    rows = row("neighbour_scripts_decile@5", 2.0, other="1"), row("neighbour_scripts_unseen@5", 1.5)
    line, mark = draw_deciles([run_of(*rows)], 5).data
    assert (line.x, line.y, mark.x, mark.y) == ((1,), (2.0,), (0,), (1.5,))
    assert mark.marker.symbol.endswith("-open")


def test_without_counts_there_is_nothing_of_frequency(run_of):
    assert not [title for title in by_title([run_of(*table_rows())]) if "rare tokens" in title]


def test_scripts_of_shared_tokens_are_drawn_most_frequent_first(run_of):
    shares = {"Latn": 0.3, "Thai": 0.6, "Cyrl": 0.1, "Grek": 0.0}
    rows = [row("shared_script_share", value, script, "one|two") for script, value in shares.items()]
    pairs = run_of(*pair_rows("one", "two"), *rows, name="pairs", token_tables=["one", "two"])
    panel = by_title([run_of(*table_rows())], [pairs])["Which tokens do two tables share?"]
    (figure,) = panel.views[""]
    assert (figure.data[0].x, figure.data[0].y) == (("Thai", "Latn", "Cyrl"), (0.6, 0.3, 0.1))
    assert figure.data[0].name == "one x two"


def test_the_share_of_either_tables_tokens_stands_in_the_table(run_of):
    rows = row("vocabulary_overlap", 0.625, "one", "two"), row("vocabulary_overlap", 0.5, "two", "one")
    values = pair_table(run_of(*pair_rows("one", "two"), *rows, name="pairs", token_tables=["one", "two"]))
    assert values.loc["one x two", "share of the first's tokens"] == "62.5%"
    assert values.loc["one x two", "share of the second's tokens"] == "50.0%"


def test_what_was_left_out_and_the_control_of_the_multiclass_probe_stand_in_the_table(run_of):
    left = row("tokens_unlabelled", 1823), row("tokens_zero", 7), row("tokens_padding", 64)
    probe = (
        row("script_multiclass", 0.5),
        row("script_multiclass_random", 0.125),
        row("script_multiclass_shuffled", 0.1),
    )
    run = run_of(*table_rows(), *left, *probe)
    lines = list(token_table([run])["one"].items())
    at = [name for name, _ in lines].index("tokens in use")
    assert lines[at + 1 : at + 4] == [
        ("  left out: without a label", "1,823"),
        ("  left out: of norm zero", "7"),
        ("  left out: rows beyond the vocabulary", "64"),
    ]
    at = [name for name, _ in lines].index("multi-class script probe, accuracy")
    assert lines[at + 1 : at + 3] == [("  on a random table", "12.50%"), ("  on shuffled labels", "10.00%")]
    assert "left out: of norm zero</th><td>7</td>" in render_tokens([run])

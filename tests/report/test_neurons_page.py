import json
import re
from dataclasses import replace
from math import isnan

import pytest
from plotly.offline import get_plotlyjs
from tests.report.neuron_runs import LANGUAGES, make_growth, make_neurons, without
from tests.report.test_page import HOSTILE, browse, needs_browser, panels, parse

from babelscope.report.figures.ablation import draw_ablation
from babelscope.report.neurons.cards import neuron_cards
from babelscope.report.neurons.numbers import number
from babelscope.report.neurons.page import is_of_neurons, render_neurons, write_neurons_page
from babelscope.report.neurons.panels import show_neurons
from babelscope.report.neurons.summary import (
    by_pair,
    contrast,
    criteria_of,
    distinct,
    effects,
    lines_of,
    step_of,
    trend,
)
from babelscope.report.words import words_of


@pytest.fixture(scope="module")
def runs():
    return [*make_growth(), make_neurons("lab_bloom", None, weights="lab_bloom800")]


@pytest.fixture(scope="module")
def grown(runs):
    return render_neurons(runs)


@pytest.fixture(scope="module")
def one():
    return render_neurons([make_neurons()])


def test_the_page_is_whole_and_loads_nothing_from_elsewhere(runs, tmp_path):
    path = write_neurons_page(runs[:2], tmp_path / "new" / "report.html")
    html = path.read_text(encoding="utf-8")
    assert html.count(get_plotlyjs()) == 1
    rest = html.replace(get_plotlyjs(), "")
    assert not re.search(r"https?://|url\(|@import", rest)
    assert rest.rstrip().endswith("</html>")
    assert [file.name for file in path.parent.iterdir()] == ["report.html"]


def test_every_figure_parses_and_every_choice_has_a_view(grown, runs):
    found = panels(grown)
    assert len(found) == 3 + len(runs) * 10
    for panel in found:
        places = [""]
        for choice in panel["choices"]:
            places = [f"{place},{i}".strip(",") for place in places for i in range(len(choice["options"]))]
        assert sorted(panel["views"]) == sorted(places)
        for figure in (figure for view in panel["views"].values() for figure in view):
            assert figure["caption"]
            assert figure["data"]
            assert "template" not in figure["layout"]


def test_one_run_has_no_tabs_and_no_growth(one):
    assert "The neurons of lab_bloom, language by language" in one
    assert "6 × 256, down input" in one
    for text in (
        'role="tab"',
        "Scores over pre-training checkpoints",
        "Models compared by relative depth",
        "rank correlation of SADS",
    ):
        assert text not in one
    for text in (
        "Depth of each language&#x27;s neurons",
        "Loss change when one language&#x27;s neurons are ablated",
        "Do the criteria find the same neurons?",
    ):
        assert text in one


def test_several_runs_have_tabs_with_the_last_checkpoint_first(grown):
    tabs = [attributes for tag, attributes in parse(grown).tags if attributes.get("role") == "tab"]
    assert len(tabs) == 11
    assert grown.index("lab_bloom, step=800</button>") < grown.index("lab_bloom, step=0</button>")
    assert "The neurons of 2 models, language by language" in grown
    assert "11, 2 with weights that were there before" in grown


def test_sections_without_rows_are_left_out():
    html = render_neurons([make_neurons(ablated=False, layered=False, criteria=("z",))])
    for text in ("neurons are ablated", "Does ablation harm", "Do the criteria", "LAPE n"):
        assert text not in html
    assert "Where each language has its neurons" in html
    bare = without(make_neurons(ablated=False, layered=False, criteria=()), "sads", "lrds_")
    assert len(panels(render_neurons([bare]))) == 1


def test_other_runs_are_refused(runs):
    assert all(map(is_of_neurons, runs))
    trained = replace(runs[0], manifest={"model": "lab_bloom"})  # holds the callback's rows, but has a page already
    assert not is_of_neurons(trained)
    with pytest.raises(ValueError, match="babelscope neurons"):
        render_neurons([trained])


def test_hostile_names_stay_text():
    html = render_neurons([make_neurons(languages=[HOSTILE, *LANGUAGES[:3]]), make_neurons(HOSTILE)])
    assert not [tag for tag, attributes in parse(html).tags if tag == "img" or "onerror" in attributes]
    assert "<script>alert" not in html
    views = [figure for panel in panels(html) for view in panel["views"].values() for figure in view]
    drawn = json.dumps([[figure["data"], figure["layout"]] for figure in views])
    assert "&lt;img" in drawn
    assert "<img" not in drawn


@pytest.mark.parametrize(
    ("revision", "step"),
    [
        ("step=100", 100),
        ("global_step10000", 10000),
        ("checkpoint-500", 500),
        ("300", 300),
        ("stage1-step200-tokens5B", 200),
        (None, None),  # nor do the rows say one
        ("main", None),
        ("a1b2c3d4", None),
    ],
)
def test_the_step_is_the_number_in_a_revision(revision, step):
    assert step_of(make_neurons(revision=revision, ablated=False, layered=False)) == step


def test_equal_weights_are_flagged_and_in_no_trend(runs, grown):
    lines = lines_of(runs)
    small, large = lines["lab_bloom_small"], lines["lab_bloom"]
    assert [point.same_as for point in small] == ["", "", "", "", "400"]
    assert [point.name for point in large] == ["0", "100", "200", "400", "800", "final"]
    assert large[-1].same_as == "800"
    assert (len(distinct(small)), trend(small, "sads").n, trend(large, "sads").n) == (4, 4, 5)
    assert trend(large, "sads").value == pytest.approx(1)
    assert grown.count("same weights as 400</small>") == 2  # one in each table
    assert "4 of 5" in grown


def test_a_finished_model_stands_at_the_step_of_its_rows():
    run = make_neurons(step=None, ablated=False, layered=False)
    assert step_of(replace(run, rows=run.rows.assign(step=300))) == 300


def test_few_checkpoints_have_no_trend_and_unknown_weights_are_not_equal():
    (line,) = lines_of([make_neurons(step=step, ablated=False, layered=False) for step in (0, 100, 200)]).values()
    assert isnan(trend(line, "sads").value)
    unknown = [replace(point.run, manifest={**point.run.manifest, "weights": ""}) for point in line]
    assert len(distinct(next(iter(lines_of(unknown).values())))) == 3


def test_ways_of_measuring_one_model_are_lines_of_their_own():
    gate = make_neurons(ablated=False, layered=False)
    gate = replace(gate, manifest={**gate.manifest, "neurons": {**gate.manifest["neurons"], "reading": "gate"}})
    lines = lines_of([make_neurons(ablated=False, layered=False), gate])
    assert list(lines) == ["lab_bloom, down_input", "lab_bloom, gate"]
    few = lines_of([make_neurons(languages=LANGUAGES[:number], ablated=False, layered=False) for number in (3, 6)])
    assert list(few) == ["lab_bloom, 3 languages", "lab_bloom, 6 languages"]
    assert all(not point.same_as for line in lines.values() for point in line)


def test_effects_and_contrasts_are_those_of_the_rows():
    run = make_neurons()
    off, random = by_pair(run, "ablated_loss"), by_pair(run, "random_loss")
    table, code = effects(run), "rus_Cyrl"
    assert table.at[code, "own"] == off.at[code, code]
    assert table.at[code, "others"] == pytest.approx(off[code].drop(code).mean())  # a column is a region
    assert table.at[code, "random"] == random.at[code, code]
    interval = contrast(run, "random")
    assert interval.n == len(LANGUAGES)
    assert interval.value == pytest.approx((table["own"] - table["random"]).mean())
    assert interval.low < interval.value < interval.high


def test_regions_of_some_languages_only():
    run = make_neurons()
    some = run.rows["other"].isin(["", *LANGUAGES[:2]]) | ~run.rows["metric"].str.startswith(("ablated", "random"))
    run = replace(run, rows=run.rows[some])
    assert sorted(effects(run).index) == sorted(LANGUAGES[:2])
    left, _ = draw_ablation(run, "loss")
    assert (len(left.data[0].x), len(left.data[0].y), len(left.layout.shapes)) == (2, 6, 2)
    assert "Loss change when one language&#x27;s neurons are ablated" in render_neurons([run])


def test_many_languages_and_layers_make_a_page():
    codes = tuple(f"l{number:02d}_{'Latn' if number % 2 else 'Cyrl'}" for number in range(31))
    html = render_neurons([make_neurons(languages=codes, shape=(32, 11008))])
    assert len(html) - len(get_plotlyjs()) < 1_500_000


def test_every_metric_has_words():
    run = make_neurons(criteria=("z", "lape", "published"))
    assert criteria_of(run) == ["z", "lape", "published"]
    ends = ("_low", "_high", "_null", "_chance", "ilo", "_accuracy")
    for metric in run.rows["metric"].unique():
        if not metric.endswith((*ends, "ilo_null")):
            assert words_of(metric).title != metric.replace("_", " "), metric
    assert words_of("lrds").null == "lrds_null"
    assert words_of("z_kept").null == "z_kept_chance"
    assert words_of("lape_z_overlap").title


def test_overlap_that_cannot_be_is_left_out_and_said():
    few, many = make_neurons(), make_neurons(languages=[f"l{number:02d}_Latn" for number in range(12)])
    panel = next(panel for panel in show_neurons(few) if panel.title == "Which languages share neurons")
    assert panel.choices[0].options == ["LAPE"]
    assert "1.41 at most in one neuron, and a key neuron exceeds 2, so overlap is 0 by construction" in panel.reading
    assert "by construction" in render_neurons([few])
    panel = next(panel for panel in show_neurons(many) if panel.title == "Which languages share neurons")
    assert panel.choices[0].options == ["z-score", "LAPE"]
    assert "pulls overlap below chance" in panel.choices[0].notes[0]


def test_cards_of_several_models_pick_none(runs):
    cards = {re.split(r":| \(", card.what)[0]: card for card in neuron_cards(lines_of(runs))}
    assert " to " in cards["SADS"].value
    assert all(name in cards["SADS"].note for name in ("lab_bloom_small", "step 0: "))
    assert "of 6 above random" in cards["nats per target, in a language whose own neurons are ablated"].note
    assert "distinct checkpoints" in cards["rank correlation of SADS with training step"].note
    (one, *_) = neuron_cards(lines_of([make_neurons()]))
    assert " to " not in one.value
    assert one.note.startswith("95 %: ")
    many = [make_neurons(f"model{number}") for number in range(5)]
    assert neuron_cards(lines_of(many))[0].note == "lowest to highest of 5 models"


def test_regions_that_were_not_switched_off_are_named():
    run = make_neurons()
    neurons = {**run.manifest["neurons"], "left_out": {"ell_Grek": "empty region", "tha_Thai": "empty region"}}
    html = render_neurons([replace(run, manifest={**run.manifest, "neurons": neurons})])
    assert "Left out: ell_Grek, tha_Thai (empty region)." in html


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.1234, "0.123"), (-0.0004, "−0.00040"), (0.00614, "0.0061"), (-1e-9, "0"), (0.0, "0"), (float("nan"), "")],
)
def test_small_numbers_keep_two_digits_and_zero_has_no_sign(value, text):
    assert number(value) == text


@needs_browser
def test_a_browser_draws_every_panel_and_answers_choices(runs, tmp_path):
    script = """<script>
    document.getElementById("theme").click();
    drawAll();
    const pressed = [...document.querySelectorAll("fieldset button")];
    pressed.forEach((button, place) => setTimeout(() => button.click(), 50 * place));
    </script></body>"""
    html = render_neurons([runs[0], runs[4], runs[9]])
    tags = browse(html.replace("</body>", script), tmp_path)
    root = next(attributes for tag, attributes in tags if tag == "html")
    assert root["data-theme"] == "dark"
    assert root["data-drawn"] == str(len(panels(html)))
    figures = sum(tag == "figcaption" for tag, _ in tags)
    plots = sum("main-svg" in (attributes.get("class") or "").split() for tag, attributes in tags if tag == "svg")
    assert plots >= figures > 30

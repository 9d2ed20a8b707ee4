"""Runs of unlike sentences, languages or arguments are shown beside each other, and never measured by each other."""

from dataclasses import replace

import pytest
from tests.report.conftest import FROZEN, LANGUAGES, write_run
from tests.report.test_page import panels

from babelscope.report import cards, comparable, page
from babelscope.report.figures.comparison import draw_third, null_lines
from babelscope.report.runs import gather
from babelscope.report.table import read_run

SMALL = {"languages": LANGUAGES[:6], "steps": 3, "pairs": False}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two runs that differ in freezing, small ones."""
    root = tmp_path_factory.mktemp("runs")
    return [read_run(write_run(root / freeze, freeze=freeze, **SMALL)) for freeze in FROZEN]


def measured(run, *, sentences=120, null=None, metrics=None, steps=1):
    """The same run measured in another way, and at other steps."""
    corpus = {**run.manifest["corpus"], "sentences": sentences}
    rows = run.rows.assign(step=run.rows["step"] * steps)
    if null is not None:
        rows = rows.assign(value=rows["value"].where(rows["metric"] != "ilo_null", null))
    config = {**run.config, "metrics": metrics or {}}
    return replace(run, config=config, manifest={**run.manifest, "corpus": corpus}, rows=rows)


def ilo(**arguments):
    return {"ilo": {"_target_": "babelscope.metrics.ilo", "_partial_": True, **arguments}}


def test_what_differs_is_named_run_by_run(runs):
    none, early = runs
    assert comparable.say_differing(runs) == ""
    assert comparable.comparable_pairs(runs) == [(1, 0)]
    pair = [none, measured(early, sentences=20)]
    assert comparable.differing(pair) == {"sentences per language": {"120": [0], "20": [1]}}
    assert "sentences per language (120 in freeze=none, 20 in freeze=early)" in comparable.say_differing(pair)
    assert comparable.comparable_pairs(pair) == []
    assert comparable.say_alone(pair) == "No difference to another run is shown for freeze=none; freeze=early."


def test_pools_are_compared_each_with_its_like(runs):
    none, early = runs
    assert comparable.differing([none, replace(early, manifest={**early.manifest, "pool": "published"})]) == {
        "pool": {"mean": [0], "published": [1]}
    }
    assert not comparable.differing([none, replace(early, manifest={**early.manifest, "pool": None})])  # does not say


def test_arguments_that_change_no_value_are_no_difference(runs):
    none, early = runs
    plain = measured(none, metrics=ilo(k=5, seed=0, search={"_target_": "torch"}))
    assert not comparable.differing([plain, measured(early, metrics=ilo(k=5, seed=1, search={"_target_": "faiss"}))])
    assert not comparable.differing([plain, early])  # does not say
    assert not comparable.differing([plain, measured(early, metrics=ilo(k=5.0))])
    found = comparable.differing([plain, measured(early, metrics=ilo(k=9))])
    assert found == {"ilo.k": {"5": [0], "9": [1]}}


def test_arguments_matter_to_their_own_metric(runs):
    pair = [
        measured(run, metrics={**ilo(k=5), "mexa": {"pivot": code}}) for run, code in zip(runs, LANGUAGES, strict=False)
    ]
    assert comparable.comparable_pairs(pair) == []
    assert comparable.comparable_pairs(pair, "ilo") == comparable.comparable_pairs(pair, "ilo_null") == [(1, 0)]
    assert comparable.comparable_pairs(pair, "mexa") == comparable.comparable_pairs(pair, "mexa_null") == []
    assert "mexa.pivot (" in comparable.say_differing(pair)
    assert comparable.say_differing(pair, ["ilo", "separability"]) == ""
    html = page.render(pair)
    assert "Where the settings differ" in html
    assert html.count("not comparable between these runs where they depend on: mexa.pivot") == 1
    assert "No difference to another run" not in html  # that of ILO is
    layers = [
        measured(run, metrics={"mine": {"layers": value}}) for run, value in zip(runs, (["2"], ["3", "4"]), strict=True)
    ]
    assert comparable.differing(layers) == {"mine.layers": {"['2']": [0], "['3', '4']": [1]}}


def test_languages_count_by_number_and_then_by_name(make_run):
    runs = [make_run("a", languages=LANGUAGES[:4], steps=1), make_run("b", languages=LANGUAGES[:5], steps=1)]
    runs.append(make_run("c", languages=[*LANGUAGES[:3], "tha_Thai"], steps=1))
    assert comparable.differing(runs[:2]) == {"languages": {"4": [0], "5": [1]}}
    said = comparable.say_differing([runs[0], runs[2]])
    assert "which languages (spa_Latn in freeze=none (a), tha_Thai in freeze=none (c))" in said
    task_only = replace(runs[1], rows=runs[1].rows[runs[1].rows["layer"] == ""])
    assert comparable.differing([runs[0], task_only]) == {}


def test_the_page_says_so_and_leaves_differences_out(runs):
    none, early = runs
    like = page.render(runs)
    assert "not comparable" not in like
    html = page.render([none, measured(early, sentences=20)])
    assert html.count("Layer scores are not comparable between these runs") == 2
    assert "No difference to another run is shown for freeze=none; freeze=early." in html
    assert "Where the settings differ" in like
    assert "Where the settings differ" not in html
    third = replace(measured(early, sentences=20), config={**early.config, "seed": 7})
    several = page.render([none, measured(early, sentences=20), third])
    assert "minus the value in freeze=early, seed=1." in several
    assert "No difference to another run is shown for freeze=none, seed=1." in several


def test_layers_of_runs_that_are_not_comparable_are_not_ranked_in_silence(runs):
    none, early = runs
    assert not any("comparable" in card.note for card in cards.key_numbers(runs))
    apart = cards.key_numbers([none, measured(early, sentences=20)])
    assert next(card.note for card in apart if "change" in card.what).endswith("; the runs are not comparable")


def test_zero_shot_is_ranked_over_the_same_languages(make_run):
    runs = [make_run("a", **SMALL), make_run("b", **SMALL, freeze="early")]
    few = make_run("c", **{**SMALL, "languages": LANGUAGES[:2]})
    alike, other = cards.key_numbers(runs)[0], cards.key_numbers([few, *runs])[0]
    assert "(" in alike.note
    assert "tested otherwise" not in alike.note
    assert other.value == alike.value
    assert other.note.endswith("tested otherwise and not ranked with it: freeze=none (c)")
    assert "do not rank" not in page.render(runs)
    assert "these means do not rank them" in page.render([few, *runs])


@pytest.mark.parametrize("metric", ["ilo", "reach"])
def test_one_null_is_one_line(runs, metric):
    rows = gather(runs)
    figure = draw_third(rows, metric, "early")
    dashed = [trace for trace in figure.data if trace.line.dash == "dash"]
    assert [set(trace.y) for trace in dashed] == ([{0.97}] if metric == "ilo" else [])


def test_every_null_is_a_line_over_the_steps_of_its_runs(runs):
    none, early = runs
    other = measured(early, sentences=20, null=0.6, steps=2)
    rows = gather([none, other])
    assert [names for names, _ in null_lines(rows, "ilo", "early")] == [["freeze=none"], ["freeze=early"]]
    dashed = [trace for trace in draw_third(rows, "ilo", "early").data if trace.line.dash == "dash"]
    assert [set(trace.y) for trace in dashed] == [{0.97}, {0.6}]
    assert [max(trace.x) for trace in dashed] == [80, 160]
    solid = [trace for trace in draw_third(rows, "ilo", "early").data if trace.line.dash is None]
    assert [trace.line.color for trace in dashed] == [trace.line.color for trace in solid]
    html = page.render([none, other])
    assert "A dashed line is what chance gives, in the colour of its run" in html
    assert "A dashed line is what chance gives." in page.render(runs)
    assert panels(html)


def test_a_null_that_is_nearly_shared_stays_level(runs):
    none, early = runs
    rows = gather([none, measured(early, null=0.972, steps=2)])
    ((names, line),) = null_lines(rows, "ilo", "middle")
    assert names == ["freeze=none", "freeze=early"]
    assert set(line.round(6)) == {0.971}

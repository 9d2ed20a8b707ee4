"""What comes from another checkpoint, training or depth is not put down to freezing."""

from dataclasses import replace

import pytest
from tests.report.conftest import FROZEN, LANGUAGES, write_run

from babelscope.report import cards, comparable, page
from babelscope.report.conditions import say_also
from babelscope.report.runs import labels, model_names
from babelscope.report.table import read_run

SMALL = {"languages": LANGUAGES[:6], "steps": 2, "pairs": False}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two runs that differ in freezing alone."""
    root = tmp_path_factory.mktemp("runs")
    return [read_run(write_run(root / freeze, freeze=freeze, **SMALL)) for freeze in FROZEN]


def of_checkpoint(run, path, weights, **manifest):
    """The same run of a checkpoint in a folder."""
    config = {**run.config, "model": {"name": path.rpartition("/")[2], "checkpoint": path}}
    return replace(run, config=config, manifest={**run.manifest, "model": path, "weights": weights, **manifest})


def configured(run, **config):
    return replace(run, config={**run.config, **config})


def test_settings_alone_are_no_other_difference(runs):
    by_design = ("seed", "output", "setting", "adapter", "alignment", "callbacks", "logger")
    for name in by_design:
        pair = [configured(run, **{name: {"value": place}}) for place, run in enumerate(runs)]
        assert say_also(pair) == ""
    assert say_also(runs) == say_also(runs[:1]) == say_also([]) == ""
    assert "differ also" not in page.render(runs)


def test_what_else_was_trained_is_said_run_by_run_above_every_comparison(runs):
    lr, epochs = ({"lr": 1e-5}, {"lr": 1e-3}), (1, 3)
    pair = [
        configured(run, optimizer=rate, trainer={"max_epochs": number, "enable_progress_bar": bool(number - 1)})
        for run, rate, number in zip(runs, lr, epochs, strict=True)
    ]
    said = (
        "These runs differ also in: optimizer.lr (1e-05 in freeze=none, 0.001 in freeze=early); trainer.max_epochs "
        "(1 in freeze=none, 3 in freeze=early). Differences between them may come from that as well."
    )
    assert say_also(pair) == said
    html = page.render(pair)
    assert html.count(f"<b>{said}</b>") == 2
    summary, _, comparison = html.partition('<section id="comparison">')
    assert said in summary
    assert said in comparison


def test_what_a_page_says_already_is_not_said_twice(runs):
    none, early = runs
    pair = [configured(none, metrics={"ilo": {"k": 5}}), configured(early, metrics={"ilo": {"k": 9}})]
    assert say_also(pair) == ""
    assert "ilo.k" in comparable.say_differing(pair)
    tasks = [configured(run, task={"name": name, "max_length": 9}) for run, name in zip(runs, "ab", strict=True)]
    assert labels(tasks) == ["a, freeze=none", "b, freeze=early"]
    assert say_also(tasks) == ""


def test_a_probe_lacks_no_training(runs):
    none, early = (configured(run, trainer={"max_epochs": 3}) for run in runs)
    probe = replace(none, config={"model": none.config["model"]})
    assert say_also([none, early, probe]) == ""
    assert "model.dtype" in say_also([none, probe, configured(probe, model={"checkpoint": "lab_xlmr", "dtype": "bf"})])


def test_checkpoints_of_one_name_are_told_apart(runs):
    pair = [of_checkpoint(run, path, path) for run, path in zip(runs, ("/home/me/a/x", "/home/me/b/x"), strict=True)]
    assert model_names(pair) == ["a/x", "b/x"]
    assert labels(pair) == ["a/x, freeze=none", "b/x, freeze=early"]
    html = page.render(pair)
    assert "<h1>2 models: how 6 languages align, layer by layer</h1>" in html
    assert "<dd>a/x; b/x</dd>" in html
    probes = [
        replace(run, config={"model": run.config["model"]}, manifest={**run.manifest, "setting": {}}) for run in pair
    ]
    assert labels(probes) == ["a/x", "b/x"]


def test_copies_of_a_checkpoint_and_adapters_are_no_other_model(runs):
    copies = [of_checkpoint(run, path, "same") for run, path in zip(runs, ("/a/x", "/b/x"), strict=True)]
    assert model_names(copies) == ["x", "x"]
    assert 'model.checkpoint ("/a/x" in freeze=none, "/b/x" in freeze=early)' in say_also(copies)
    adapted = [of_checkpoint(run, "me/x", weights) for run, weights in zip(runs, "ab", strict=True)]
    assert model_names(adapted) == ["me/x", "me/x"]
    assert model_names(runs) == ["lab_xlmr", "lab_xlmr"]


def test_layers_of_other_depths_are_not_subtracted(runs):
    none, early = runs
    deep = replace(early, manifest={**early.manifest, "layers": [*map(str, range(13)), "final"]})
    assert comparable.say_depths(runs) == ""
    assert comparable.comparable_pairs([none, deep]) == []
    said = comparable.say_depths([none, deep])
    assert said.endswith("layer by layer: up to layer 6 in freeze=none; up to layer 12 in freeze=early.")
    html = page.render([none, deep])
    assert said in html
    assert "No difference to another run is shown for freeze=none; freeze=early." in html
    assert "Where the settings differ" in page.render(runs)
    assert "Where the settings differ" not in html


def test_the_highest_score_of_several_runs_says_whose_it_is(runs):
    probes = [replace(run, rows=run.rows[(run.rows["step"] == 0) & (run.rows["layer"] != "")]) for run in runs]
    (card,) = [card for card in cards.key_numbers(probes) if card.what.startswith("highest ILO")]
    assert card.note.startswith(("freeze=none: lowest is ", "freeze=early: lowest is "))
    (card,) = [card for card in cards.key_numbers(probes[:1]) if card.what.startswith("highest ILO")]
    assert card.note.startswith("lowest is ")


def test_the_score_of_the_only_run_that_was_tested_says_whose_it_is(runs):
    none, early = runs
    untested = replace(early, rows=early.rows[~early.rows["metric"].str.startswith("test_")])
    assert [card.note for card in cards.key_numbers([none, untested])][:2] == ["with freeze=none"] * 2
    assert cards.key_numbers([none])[0].note == ""

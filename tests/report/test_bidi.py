"""Names of the other direction stay beside their own numbers."""

import pytest
from tests.report.conftest import LANGUAGES
from tests.report.study_runs import make_study

from babelscope.report.bidi import isolate
from babelscope.report.cards import key_numbers
from babelscope.report.study.page import render_study
from babelscope.report.study.replicates import replicate_of

SMALL = {"languages": LANGUAGES[:4], "steps": 2, "pairs": False}


@pytest.mark.parametrize("name", ["עברית", "نموذج", "freeze=עברית 2", "a\u202eb"])
def test_what_turns_is_set_apart(name):
    assert isolate(name) == f"\u2068{name}\u2069"


@pytest.mark.parametrize("name", ["", "freeze=none", "हिन्दी", "中文 3", 7])
def test_other_names_stay_as_they_are(name):
    assert isolate(name) == str(name)


def test_a_card_keeps_every_name_with_its_own_number(make_run):
    runs = [make_run(str(place), **SMALL) for place in range(2)]
    for run, name in zip(runs, ("עברית", "نموذج"), strict=True):
        run.manifest["setting"] = {"freeze": name}
    note = key_numbers(runs)[0].note
    assert note.startswith("with \u2068freeze=עברית\u2069 (\u2068freeze=نموذج\u2069 0.")


def test_a_study_keeps_every_name_with_its_own_number():
    setting, source = "early عربي", "שפה"
    runs = [replicate_of(run) for run in make_study(("none", setting), range(2), ("eng_Latn", source), steps=2)]
    html = render_study(runs)
    for start, end in (
        ('<p class="answer">', "</p>"),
        ('<section class="cards"', "</section>"),
        ('<section id="claims">', "</section>"),
    ):
        part = html.partition(start)[2].partition(end)[0]
        assert 0 < part.count(setting) == part.count(f"\u2068{setting}\u2069")
        assert part.count(source) == part.count(f"\u2068{source}\u2069")
    lacking = render_study([run for run in runs if run.folder.name != f"{setting}-{source}-topic-1"])
    assert f"Without a finished run: \u2068{setting}\u2069 / \u2068{source}\u2069 / seed 1." in lacking

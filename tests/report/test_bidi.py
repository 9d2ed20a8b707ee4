"""Names of the other direction stay beside their own numbers."""

import pytest
from tests.report.conftest import LANGUAGES

from babelscope.report.bidi import isolate
from babelscope.report.cards import key_numbers

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

import unicodedata

import pytest
import regex

from babelscope.data.lab import LANGUAGES, lab_text
from babelscope.data.pieces import Piece
from babelscope.data.scripts import CLASSES, SCRIPTS, count_changes, label, legacy_label, legacy_of


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("cat", "Latn"),
        ("кот", "Cyrl"),
        ("猫", "Hani"),
        ("ねこ", "Hira"),
        ("ネコ", "Kana"),
        ("アメリカー", "Kana"),
        ("고양이", "Hang"),
        ("แมว", "Thai"),
        ("बिल्ली", "Deva"),
        ("ᏪᏌ", "Cher"),
        ("Ａ", "Latn"),  # full width: FULLWIDTH to S1
        ("ﾈｺ", "Kana"),
        ("ʰ", "Latn"),
        ("ᐃᓄ", "Cans"),
        ("食べる", "Hira"),
        ("aб", "Latn"),  # the first seen wins
        ("бa", "Cyrl"),
        ("a12345!", "Latn"),
        ("e\u0301", "Latn"),
        ("ー", "L"),
        ("𝐀", "L"),
        ("\u0301", "M"),
        ("१२", "N"),
        ("12", "N"),
        ("1.0", "N"),
        ("...", "P"),
        ("$+", "S"),
        ("€", "S"),
        ("\u2581", "S"),
        ("", "Z"),
        ("\u3000", "Z"),
        ("\ue000", "C"),
    ],
)
def test_label(text, script):
    assert label(text) == script


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("cat", "LATIN"),
        ("猫", "CJK"),
        ("Ａ", "FULLWIDTH"),
        ("ᐃᓄ", "CANADIAN"),
        ("\u2581a", "S"),  # the mark ties with the letter and comes first
        ("\u2581ab", "LATIN"),
        ("<0xE4>", "S"),
        ("bad: Ã", "LATIN"),
        ("12", "N"),
        ("", "Z"),
    ],
)
def test_legacy_label(text, category):
    assert legacy_label(text) == category


def test_the_lab_is_labelled_as_its_languages_say():
    same = {"Hans": {"Hani"}, "Hant": {"Hani"}, "Kore": {"Hang"}, "Jpan": {"Hani", "Hira", "Kana"}}
    corpus = lab_text(LANGUAGES, sentences=5)
    for language in LANGUAGES:
        script = language.split("_")[1]
        assert {label(text) for text in corpus.texts[language]} <= same.get(script, {script})


def test_every_code_is_its_name_to_unicode():
    assert len(SCRIPTS) > 150
    assert not {*SCRIPTS} & {*CLASSES, "Zyyy", "Zinh", "Zzzz"}
    everything = "".join(map(chr, range(0x20, 0xD800)))
    for code, name in SCRIPTS.items():
        differ = regex.compile(rf"[\p{{Script={code}}}--\p{{Script={name}}}]", regex.VERSION1)
        assert not differ.search(everything)


def test_no_letter_of_the_basic_plane_is_without_a_script():
    common = regex.compile(r"[\p{Script=Zyyy}\p{Script=Zinh}\p{Script=Zzzz}]")
    letters = (chr(i) for i in range(0x10000) if unicodedata.category(chr(i))[0] == "L")
    assert [letter for letter in letters if (label(letter) == "L") != bool(common.match(letter))] == []


def test_the_two_labellings_agree_on_plain_letters():
    words = {"cat": "Latn", "猫": "Hani", "ねこ": "Hira", "γάτα": "Grek", "ကြောင်": "Mymr", "ᐃ": "Cans"}
    for word, script in words.items():
        assert label(word) == script
        assert legacy_label(word[0]) == legacy_of(script)
    assert legacy_of("N") == "N"


def test_changes_are_counted():
    def piece(text, legacy, kind="word"):
        return Piece(0, legacy, text, kind, True, legacy)

    pieces = [
        piece("cat", "\u2581cat"),
        piece("a", "\u2581a"),
        piece("b", "\u2581b"),
        piece("Ａ", "Ａ"),
        piece("<0xC3>", "bad: Ã", "byte"),
        piece("<s>", "<s>", "special"),
        piece("", "\u2581"),
    ]
    assert count_changes(pieces) == {
        ("S", "Latn"): 2,
        ("FULLWIDTH", "Latn"): 1,
        ("LATIN", "byte"): 1,
        ("S", "special"): 1,
        ("S", "Z"): 1,
    }

from collections import Counter
from dataclasses import astuple, replace

import pytest

from babelscope.data.lab import LANGUAGES
from babelscope.data.lab.grammar import MOST, SETTINGS, Meaning, meanings, render
from babelscope.data.lab.lexicon import ANY, CONCEPTS, TOPICS, concepts

DOCTOR = Meaning("health", "doctor", "examine", "heart", "sick", place="hospital", time="today")


def topics_of(meaning):
    words = astuple(meaning)[1:]
    return Counter(CONCEPTS[word].topic for word in words if word is not None)


def test_every_language_has_a_complete_setting():
    assert tuple(SETTINGS) == LANGUAGES
    for language, setting in SETTINGS.items():
        assert sorted(setting["order"].split()) == ["adjective", "agent", "object", "place", "time", "verb"], language
        assert "adjective object" in setting["order"] or "object adjective" in setting["order"], language
        assert setting["spaces"] in ("yes", "no"), language


def test_word_orders_differ():
    core = {
        language: "".join(slot[0] for slot in setting["order"].split() if slot in ("agent", "verb", "object"))
        for language, setting in SETTINGS.items()
    }
    assert Counter(core.values()) == {"avo": 14, "aov": 9, "vao": 1}
    assert core["arb_Arab"] == "vao"
    assert core["jpn_Jpan"] == "aov"


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        ("eng_Latn", "Doctor examines sick heart hospital today."),
        ("jpn_Jpan", "今日医者病院病気の心臓診察する。"),
        ("arb_Arab", "يفحص طبيب قلب عليل مستشفى اليوم."),
        ("deu_Latn", "Arzt untersucht heute krank Herz Krankenhaus."),
        ("hin_Deva", "डॉक्टर आज अस्पताल बीमार दिल जाँचता।"),
    ],
)
def test_golden_sentences(language, sentence):
    assert render(DOCTOR, language) == sentence


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        ("eng_Latn", "Doctor examines sick heart."),
        ("jpn_Jpan", "医者病気の心臓診察する。"),
        ("arb_Arab", "يفحص طبيب قلب عليل."),
    ],
)
def test_place_and_time_can_be_absent(language, sentence):
    assert render(replace(DOCTOR, place=None, time=None), language) == sentence


@pytest.mark.parametrize("language", LANGUAGES)
def test_different_meanings_give_different_sentences(language):
    drawn = meanings(2000, seed=3)
    assert len({render(meaning, language) for meaning in drawn}) == len(drawn)


@pytest.mark.parametrize("language", LANGUAGES)
def test_changing_any_word_changes_the_sentence(language):
    sentences = {
        render(replace(DOCTOR, place=place, time=time), language) for place in (None, "city") for time in (None, "now")
    }
    assert len(sentences) == 4
    for slot in ("agent", "verb", "object", "adjective", "place", "time"):
        names = [name for topic in (*TOPICS, ANY) for name in concepts(topic, slot)]
        assert len({render(replace(DOCTOR, **{slot: name}), language) for name in names}) == len(names)


@pytest.mark.parametrize("language", LANGUAGES)
def test_sentences_are_written_as_the_language_is(language):
    for meaning in meanings(50, seed=1):
        text = render(meaning, language)
        assert text == text.strip()
        assert (" " in text) == (SETTINGS[language]["spaces"] == "yes")
        assert text[0] == text[0].title()
        assert text.endswith(SETTINGS[language]["stop"])


def test_georgian_keeps_its_everyday_letters():
    texts = [render(meaning, "kat_Geor") for meaning in meanings(50, seed=1)]
    assert not any("Ა" <= character <= "Ჿ" for text in texts for character in text)


def test_no_turkish_sentence_begins_with_a_dotted_i():
    # its capital is not the one that Python gives
    assert not any(render(meaning, "tur_Latn").startswith("I") for meaning in meanings(2000, seed=1))


def test_meanings_are_distinct_balanced_and_repeatable():
    drawn = meanings(700, seed=5)
    assert drawn == meanings(1000, seed=5)[:700]
    assert drawn != meanings(700, seed=6)
    assert len({astuple(meaning)[1:] for meaning in drawn}) == 700
    assert Counter(meaning.topic for meaning in drawn) == dict.fromkeys(TOPICS, 100)


def test_a_topic_has_at_least_two_words_and_the_most():
    for meaning in meanings(1000, seed=2):
        counts = topics_of(meaning)
        own = counts.pop(meaning.topic)
        counts.pop(ANY, None)
        assert own >= 2
        assert all(other < own for other in counts.values())


def test_place_and_time_occur_in_about_half_of_the_sentences():
    drawn = meanings(2000, seed=2)
    assert 0.4 < sum(meaning.place is not None for meaning in drawn) / len(drawn) < 0.6
    assert 0.4 < sum(meaning.time is not None for meaning in drawn) / len(drawn) < 0.6


def test_every_concept_is_used():
    used = {word for meaning in meanings(4000, seed=0) for word in astuple(meaning)[1:]} - {None}
    assert used == set(CONCEPTS)


def test_an_unknown_language_is_refused_with_the_nearest():
    with pytest.raises(ValueError, match=r"^Expected .* got 'jpn_Japn'; nearest: jpn_Jpan.*$"):
        render(DOCTOR, "jpn_Japn")


@pytest.mark.parametrize("n", [-1, MOST + 1])
def test_an_impossible_number_is_refused(n):
    with pytest.raises(ValueError, match=rf"^Expected .* got {n}; .*$"):
        meanings(n, seed=0)

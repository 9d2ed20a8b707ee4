from collections import Counter
from pathlib import Path
from unicodedata import is_normalized, name

import pytest
import yaml

from babelscope.data.lab import LANGUAGES, dictionary
from babelscope.data.lab.lexicon import ANY, CONCEPTS, TOPICS, concepts

LANGUAGE_LIST = Path(__file__).parents[3] / "conf" / "languages" / "lab.yaml"
SIB200_TOPICS = {"science/technology", "travel", "politics", "sports", "health", "entertainment", "geography"}
# how the Unicode names of a writing system's letters and marks begin
SCRIPTS = {
    "Latn": ("LATIN",),
    "Cyrl": ("CYRILLIC",),
    "Grek": ("GREEK",),
    "Arab": ("ARABIC",),
    "Hebr": ("HEBREW",),
    "Deva": ("DEVANAGARI",),
    "Beng": ("BENGALI",),
    "Taml": ("TAMIL",),
    "Thai": ("THAI",),
    "Hans": ("CJK UNIFIED",),
    "Jpan": ("CJK UNIFIED", "HIRAGANA", "KATAKANA"),
    "Hang": ("HANGUL SYLLABLE",),
    "Geor": ("GEORGIAN LETTER",),
    "Ethi": ("ETHIOPIC SYLLABLE",),
}
SIGNS = str.maketrans("", "", " '-")
UNSPACED = {"zho_Hans", "jpn_Jpan", "tha_Thai"}


def test_the_table_has_seven_topics_and_enough_of_everything():
    assert set(TOPICS) == SIB200_TOPICS
    assert len(CONCEPTS) > 180
    assert len(LANGUAGES) == 24
    assert len({language[4:] for language in LANGUAGES}) == 14
    for topic in TOPICS:
        sizes = {category: len(concepts(topic, category)) for category in ("agent", "verb", "object", "adjective")}
        assert sizes == {"agent": 4, "verb": 5, "object": 8, "adjective": 3}
        assert len(concepts(topic, "place")) == 3
    assert all(concepts(ANY, category) for category in ("agent", "verb", "adjective", "place", "time"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_concept_has_a_word_in_the_languages_own_script(language):
    for concept in CONCEPTS.values():
        word = concept.words[language]
        assert word, concept.name
        assert is_normalized("NFC", word), concept.name
        assert word == " ".join(word.split()), concept.name
        assert language not in UNSPACED or " " not in word, concept.name
        for character in word.translate(SIGNS):
            assert name(character).startswith(SCRIPTS[language[4:]]), (concept.name, word, name(character))


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_two_concepts_share_a_word(language):
    times = Counter(concept.words[language].casefold() for concept in CONCEPTS.values())
    assert [word for word, n in times.items() if n > 1] == []


def test_related_languages_do_not_share_most_of_their_words():
    for source, target in [("rus_Cyrl", "ukr_Cyrl"), ("arb_Arab", "urd_Arab"), ("fra_Latn", "eng_Latn")]:
        same = sum(concept.words[source] == concept.words[target] for concept in CONCEPTS.values())
        assert same < 0.4 * len(CONCEPTS), (source, target)


def test_dictionary_gives_every_words_translation():
    gold = dictionary("eng_Latn", "zho_Hans")
    assert len(gold) == len(CONCEPTS)
    assert gold[CONCEPTS["doctor"].words["eng_Latn"]] == {CONCEPTS["doctor"].words["zho_Hans"]}


@pytest.mark.parametrize("pair", [("eng_latn", "zho_Hans"), ("zho_Hans", "eng_latn")])
def test_dictionary_names_the_nearest_language(pair):
    with pytest.raises(ValueError, match=r"^Expected `languages` .* got 'eng_latn'; nearest: eng_Latn.*$"):
        dictionary(*pair)


def test_the_list_of_languages_in_conf_is_the_labs():
    assert tuple(yaml.safe_load(LANGUAGE_LIST.read_text())["codes"]) == LANGUAGES

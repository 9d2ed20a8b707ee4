from collections import Counter

import pytest

from babelscope.data.lab import lab_text
from babelscope.training.pairs import TranslationPairs
from tests.models.tiny import tiny_tokenizer

LANGUAGES = ["eng_Latn", "deu_Latn", "kat_Geor"]


@pytest.fixture(scope="module")
def corpus():
    return lab_text(LANGUAGES, sentences=40)


def make(corpus, weights=(1.0, 1.0, 1.0), **options):
    keys = {"count": 8, "steps": 50, "seed": 0, "max_length": 512, **options}
    return TranslationPairs(corpus, tiny_tokenizer(), dict(zip(LANGUAGES, weights, strict=True)), **keys)


def language_of(corpus, tokenizer, ids):
    return found(corpus, tokenizer, ids)[0][0]


def found(corpus, tokenizer, ids):
    text = tokenizer.decode(ids, skip_special_tokens=True)
    return [(language, i) for language, texts in corpus.texts.items() for i, t in enumerate(texts) if t == text]


def test_sides_are_translations_in_two_languages(corpus):
    tokenizer = tiny_tokenizer()
    a, b = make(corpus)[3]
    assert len(a) == len(b) == 8
    places = [(found(corpus, tokenizer, x)[0], found(corpus, tokenizer, y)[0]) for x, y in zip(a, b, strict=True)]
    assert all(left[1] == right[1] and left[0] != right[0] for left, right in places)
    assert len({left[1] for left, _ in places}) == 8  # or a translation would be among the negatives


def test_a_batch_depends_on_seed_and_step_only(corpus):
    pairs = make(corpus)
    later, again = pairs[7], make(corpus)[7]
    assert later == again
    assert later != pairs[8]
    assert later != make(corpus, seed=1)[7]


def test_languages_are_drawn_by_weight(corpus):
    tokenizer = tiny_tokenizer()
    pairs = make(corpus, weights=(1.0, 1.0, 0.1))
    drawn = Counter(language_of(corpus, tokenizer, ids) for step in range(50) for side in pairs[step] for ids in side)
    assert drawn["kat_Geor"] < 0.3 * drawn["eng_Latn"]
    assert abs(drawn["deu_Latn"] - drawn["eng_Latn"]) < 0.2 * drawn["eng_Latn"]


def test_one_language_has_no_translations(corpus):
    with pytest.raises(ValueError, match="at least 2 languages"):
        TranslationPairs(corpus.select(["eng_Latn"]), tiny_tokenizer(), {"eng_Latn": 1.0}, count=2, steps=1)


def test_with_a_pivot_every_pair_begins_with_it(corpus):
    tokenizer = tiny_tokenizer()
    a, b = make(corpus, pivot="deu_Latn").draw(1, 2, 3)
    assert {language_of(corpus, tokenizer, ids) for ids in a} == {"deu_Latn"}
    assert {language_of(corpus, tokenizer, ids) for ids in b} == {"eng_Latn", "kat_Geor"}
    with pytest.raises(ValueError, match="pivot of translation pairs to be among the languages, but got 'fra_Latn'"):
        make(corpus, pivot="fra_Latn")

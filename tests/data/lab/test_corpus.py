from collections import Counter

import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.naive_bayes import MultinomialNB

from babelscope.data.lab import LANGUAGES, lab, lab_tagged, lab_text, tiers
from babelscope.data.lab.lexicon import CONCEPTS, TOPICS

ENGLISH = ["eng_Latn"]


def test_splits_are_aligned_in_every_language():
    corpus = lab(LANGUAGES, "dev+test")
    assert corpus.name == "lab"
    assert corpus.languages == LANGUAGES
    assert corpus.ids[0] == "lab-000000"
    assert corpus.ids[-1] == "lab-000299"
    assert len(corpus) == 300
    assert lab(LANGUAGES, "test").texts["tha_Thai"] == corpus.texts["tha_Thai"][100:]


def test_a_golden_sentence():
    corpus = lab(["eng_Latn", "zho_Hans", "arb_Arab"], "dev")
    assert corpus.labels is not None
    assert corpus.labels[1] == "travel"
    assert [texts[1] for texts in corpus.texts.values()] == [
        "Pilot programs red passport airport yesterday.",
        "飞行员昨天机场编程红护照。",
        "يبرمج طيار جواز سفر أحمر مطار أمس.",
    ]


def test_splits_share_no_sentence():
    train, dev, test = (lab(ENGLISH, split) for split in ("train", "dev", "test"))
    assert [len(train), len(dev), len(test)] == [700, 100, 200]
    sentences = [text for corpus in (train, dev, test) for text in corpus.texts["eng_Latn"]]
    assert len(set(sentences)) == 1000
    assert lab(ENGLISH, "all").ids == (*train.ids, *dev.ids, *test.ids)


def test_dev_and_test_do_not_depend_on_the_size_of_train():
    assert lab(ENGLISH, "dev+test", train=9).fingerprint() == lab(ENGLISH, "dev+test").fingerprint()
    assert lab(ENGLISH, "train", train=9).ids == lab(ENGLISH, "train").ids[:9]


def test_the_seed_gives_the_sentences():
    assert lab(LANGUAGES, "dev", seed=1).fingerprint() == lab(LANGUAGES, "dev", seed=1).fingerprint()
    assert lab(LANGUAGES, "dev", seed=1).fingerprint() != lab(LANGUAGES, "dev").fingerprint()


@pytest.mark.parametrize("split", ["train", "dev", "test"])
def test_labels_are_balanced(split):
    corpus = lab(ENGLISH, split)
    assert corpus.labels is not None
    times = Counter(corpus.labels)
    assert set(times) == set(TOPICS)
    assert max(times.values()) - min(times.values()) <= 1


def test_text_for_pretraining_holds_no_sentence_of_dev_or_test():
    text = lab_text(LANGUAGES, sentences=2000)
    assert text.name == "lab_text"
    assert len(text) == 2000
    held_out = lab(LANGUAGES, "dev+test")
    assert all(set(text.texts[language]).isdisjoint(held_out.texts[language]) for language in LANGUAGES)
    assert text.ids[:700] == lab(LANGUAGES, "train").ids


@pytest.mark.parametrize("seed", [0, 1])
def test_topics_are_learnable_but_no_word_settles_them(seed):
    train, test = (lab(ENGLISH, split, seed=seed) for split in ("train", "test"))
    words = CountVectorizer()
    bayes = MultinomialNB().fit(words.fit_transform(train.texts["eng_Latn"]), train.labels)
    accuracy = bayes.score(words.transform(test.texts["eng_Latn"]), test.labels)
    assert 0.9 < accuracy < 1.0


def test_tagged_words_are_those_of_the_sentences():
    for split in ("dev", "train"):
        text, tagged = lab(LANGUAGES, split), lab_tagged(LANGUAGES, split)
        for language in LANGUAGES:
            own = tagged.examples(language)
            assert own.ids == text.ids
            for sentence, words, tags in zip(text.texts[language], own.words, own.tags, strict=True):
                assert sentence.startswith((" ".join(words), "".join(words)))
                assert len(set(tags)) == len(words)
                for word, tag in zip(words, tags, strict=True):
                    said = {c.category for c in CONCEPTS.values() if c.words[language].lower() == word.lower()}
                    assert tag in said


def test_tiers_cover_the_languages():
    assert tuple(tiers()) == LANGUAGES
    assert Counter(tiers().values()) == {1.0: 6, 0.4: 12, 0.1: 6}
    assert tiers()["eng_Latn"] == 1.0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: lab(["kor_Hank"], "dev"), r"Expected `languages` .* got 'kor_Hank'; nearest: kor_Hang.*"),
        (lambda: lab([], "dev"), r"Expected `languages` .* got \[\]; .*"),
        (lambda: lab(ENGLISH, "valid"), r"Expected `split` of corpus lab to be one of train, dev, test.* got 'valid'"),
        (lambda: lab(ENGLISH, "dev", train=0), r"Expected `train` .* got 0; .*"),
        (lambda: lab_text(ENGLISH, "dev"), r"Expected `split` of corpus lab_text to be train, but got 'dev'; .*"),
        (lambda: lab_text(ENGLISH, sentences=0), r"Expected `sentences` .* got 0; .*"),
        (lambda: lab_text(ENGLISH, sentences=10**6), r"Expected the lab's number of sentences .* got 1000300; .*"),
    ],
)
def test_what_is_impossible_is_refused_in_one_line(make, message):
    with pytest.raises(ValueError, match=rf"^{message}$"):
        make()

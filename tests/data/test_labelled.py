from dataclasses import replace

import pytest

from babelscope.data import Corpus
from babelscope.data.labelled import Examples, LabelledCorpus
from babelscope.data.tasks import label_names

ENGLISH = Examples(("1", "2", "3"), ("a", "b", "c"), ("d", "e", "f"), ("yes", "no", "yes"))
GERMAN = Examples(("1",), ("g",), ("h",), ("no",))
TEXT = LabelledCorpus("mine", {"eng_Latn": ENGLISH, "deu_Latn": GERMAN})


def test_every_language_has_examples_of_its_own():
    assert TEXT.examples("deu_Latn") is GERMAN
    assert TEXT.texts == {"eng_Latn": tuple("abcdef"), "deu_Latn": ("g", "h")}
    assert len(TEXT) == 3
    assert label_names(TEXT) == ("no", "yes")
    with pytest.raises(ValueError, match="a language of 'mine', but got 'fra_Latn'; it has eng_Latn, deu_Latn"):
        TEXT.examples("fra_Latn")


def test_a_subset_keeps_columns_together_and_order():
    kept = TEXT.subset(2, seed=1)
    assert kept.examples("deu_Latn") == GERMAN
    rows = list(zip(*(getattr(ENGLISH, name) for name in ("ids", "texts", "seconds", "labels")), strict=True))
    own = kept.examples("eng_Latn")
    assert list(zip(own.ids, own.texts, own.seconds, own.labels, strict=True)) in (
        [rows[i] for i in two] for two in ([0, 1], [0, 2], [1, 2])
    )
    assert kept == TEXT.subset(2, seed=1)
    assert TEXT.subset(5) == TEXT
    assert TEXT.subset(None) is TEXT
    with pytest.raises(ValueError, match="at least 1 sentence of 'mine', but got 0"):
        TEXT.subset(0)
    assert {TEXT.subset(1, seed=i).examples("eng_Latn").ids for i in range(20)} == {("1",), ("2",), ("3",)}


def test_a_hash_of_all_that_is_read():
    changed = [
        LabelledCorpus("mine", {"eng_Latn": ENGLISH}),
        LabelledCorpus("mine", {"eng_Latn": ENGLISH, "deu_Latn": replace(GERMAN, texts=("x",))}),
        LabelledCorpus("mine", {"eng_Latn": ENGLISH, "deu_Latn": replace(GERMAN, seconds=("x",))}),
        LabelledCorpus("mine", {"eng_Latn": ENGLISH, "deu_Latn": replace(GERMAN, labels=("yes",))}),
    ]
    assert len({text.fingerprint() for text in [TEXT, *changed]}) == 5
    assert replace(TEXT, name="other").fingerprint() == TEXT.fingerprint()


def test_a_corpus_gives_its_sentences_as_examples():
    corpus = Corpus("c", ("1", "2"), {"eng_Latn": ("a", "b"), "deu_Latn": ("c", "d")}, ("x", "y"))
    assert corpus.examples("deu_Latn") == Examples(("1", "2"), ("c", "d"), None, ("x", "y"))
    assert replace(corpus, labels=None).examples("eng_Latn").labels is None

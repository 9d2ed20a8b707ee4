import pytest

from babelscope.data import Corpus
from babelscope.data.corpora import read
from babelscope.data.lab import lab_tagged


def corpus(n: int = 10, **changes) -> Corpus:
    whole = {
        "name": "test",
        "ids": tuple(str(i) for i in range(n)),
        "texts": {code: tuple(f"{code} {i}" for i in range(n)) for code in ("eng_Latn", "deu_Latn")},
        "labels": tuple("ab"[i % 2] for i in range(n)),
    }
    return Corpus(**{**whole, **changes})


def test_languages_keep_their_order():
    assert corpus().languages == ("eng_Latn", "deu_Latn")
    assert len(corpus()) == 10


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"texts": {}}, "at least one language"),
        ({"ids": (), "texts": {"eng_Latn": ()}, "labels": None}, "to have sentences"),
        ({"texts": {"eng_Latn": ("a",) * 9}}, "Expected 10 sentences .* got 9 in eng_Latn"),
        ({"texts": {"eng_Latn": ("a",) * 9 + (" ",)}}, "sentence '9' in eng_Latn is"),
        ({"ids": ("x",) * 10}, "'x' more than once"),
        ({"labels": ("a",)}, "1 labels for 10"),
        ({"ids": tuple(range(10))}, "ids of corpus .* strings, but got 0; write"),
        ({"texts": {"eng_Latn": ("a",) * 9 + (None,)}}, "texts of eng_Latn of corpus .* got None"),
        ({"texts": {"eng_Latn": "abcdefghij"}}, "texts of eng_Latn of corpus .* got 'abcdefghij'"),
    ],
)
def test_broken_corpora_are_refused_in_one_line(changes, message):
    with pytest.raises(ValueError, match=message) as error:
        corpus(**changes)
    assert "\n" not in str(error.value)


def test_subset_is_the_same_sentences_in_every_language_with_their_labels():
    whole, part = corpus(), corpus().subset(4, seed=1)
    assert part.ids == whole.subset(4, seed=1).ids != whole.subset(4, seed=2).ids
    assert list(part.ids) == sorted(part.ids)
    for i, key in enumerate(part.ids):
        assert part.texts["deu_Latn"][i] == f"deu_Latn {key}"
        assert part.labels is not None
        assert part.labels[i] == "ab"[int(key) % 2]
    assert whole.subset(None) is whole
    assert whole.subset(10) == whole.subset(11) == whole


@pytest.mark.parametrize("n", [0, -1])
def test_a_subset_of_nothing_is_refused(n):
    with pytest.raises(ValueError, match=f"at least 1 sentence of .test., but got {n};"):
        corpus().subset(n)


def test_select_orders_languages_and_refuses_unknown_ones():
    assert corpus().select(["deu_Latn", "eng_Latn"]).languages == ("deu_Latn", "eng_Latn")
    with pytest.raises(ValueError, match="got 'fra_Latn'; it has eng_Latn, deu_Latn"):
        corpus().select(["fra_Latn"])


def test_fingerprint_changes_with_content_and_only_with_it():
    whole = corpus()
    assert whole.fingerprint() == corpus(name="other", labels=None).fingerprint()
    others = [whole.subset(9), whole.select(["eng_Latn"]), whole.select(["deu_Latn", "eng_Latn"])]
    # the same characters, cut differently
    others += [corpus(2, texts={"eng_Latn": texts}) for texts in (("ab", "c"), ("a", "bc"))]
    assert len({whole.fingerprint(), *(other.fingerprint() for other in others)}) == 6


def test_a_corpus_is_read_by_its_loader_and_cut_to_what_there_is():
    asked = []

    def loader(languages, *, split):
        asked.append((languages, split))
        return corpus()

    assert read(loader, ("eng_Latn", "deu_Latn"), "dev").ids == corpus().ids
    assert asked == [(["eng_Latn", "deu_Latn"], "dev")]
    assert read(loader, ["eng_Latn"], "dev", sentences=4, seed=1).ids == corpus().subset(4, seed=1).ids
    assert len(read(loader, ["eng_Latn"], "dev", sentences=99)) == 10


def test_examples_of_each_languages_own_are_no_parallel_text():
    with pytest.raises(ValueError, match=r"parallel text, but lab has examples .*task\.parallel='\$\{corpus\}'"):
        read(lab_tagged, ["eng_Latn"], "dev")

import pytest

from babelscope.data.corpora import Corpus
from babelscope.data.splits import SPLITS, cut, parse_split


def test_splits():
    known = ("train", "dev", "test")
    assert parse_split("dev+test", known, corpus="c") == ["dev", "test"]
    assert parse_split(" dev + test ", known, corpus="c") == ["dev", "test"]
    assert parse_split("all", known, corpus="c") == list(known)
    assert parse_split("test", ["devtest"], corpus="c", aliases={"test": "devtest"}) == ["devtest"]
    for split in ("valid", "dev+dev", "", "dev+"):
        with pytest.raises(ValueError, match="train, dev, test, a union such as dev\\+test, or all"):
            parse_split(split, known, corpus="c")


def test_parts_of_a_whole():
    corpus = Corpus("c", tuple(map(str, range(15))), {"eng_Latn": tuple("abcdefghijklmno")})
    assert [cut(corpus, [part]).ids for part in SPLITS] == [corpus.ids[:10], corpus.ids[10:12], corpus.ids[12:]]
    assert cut(corpus, SPLITS) == corpus
    assert cut(corpus, ["test", "train"]).ids == (*corpus.ids[12:], *corpus.ids[:10])

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from babelscope.data import batches, token_fingerprint
from babelscope.data.batches import deduplicate
from tests.data import vocabularies

TEXTS = st.lists(st.lists(st.sampled_from([*vocabularies.WORDS, "</s>", "?"]), min_size=1, max_size=9), max_size=20)
KINDS = [vocabularies.masked(), vocabularies.span(), vocabularies.causal(), vocabularies.llama()]


@pytest.mark.parametrize("tokenizer", KINDS, ids=["masked", "span", "causal", "llama"])
@given(words=TEXTS, max_tokens=st.integers(1, 60))
def test_every_text_comes_once_within_the_budget(tokenizer, words, max_tokens):
    texts = [" ".join(row) for row in words]
    made = batches(texts, tokenizer, max_tokens=max_tokens)
    assert sorted(i for batch in made for i in batch.index.tolist()) == list(range(len(texts)))
    lengths = [int(n) for batch in made for n in batch.attention_mask.sum(dim=1)]
    assert lengths == sorted(lengths, reverse=True)
    for batch in made:
        rows, width = batch.input_ids.shape
        assert rows == 1 or rows * width <= max_tokens
        assert batch.attention_mask.shape == batch.ordinary.shape == (rows, width)
        assert (batch.attention_mask.diff(dim=1) <= 0).all()  # padding on the right
        assert not (batch.ordinary & (batch.attention_mask == 0)).any()
        for ids, attended, ordinary, i in zip(
            batch.input_ids, batch.attention_mask.bool(), batch.ordinary, batch.index, strict=True
        ):
            assert ids[attended].tolist() == tokenizer(texts[i])["input_ids"]
            assert ids[ordinary].tolist() == tokenizer(texts[i], add_special_tokens=False)["input_ids"]
            assert ordinary.sum() == len(words[i])


def test_types_and_ties():
    (batch,) = batches(["w1 w2", "w3 w4", "w5 w6 w7"], vocabularies.masked())
    assert batch.index.tolist() == [2, 0, 1]
    assert [x.dtype for x in (batch.input_ids, batch.attention_mask, batch.index)] == [torch.long] * 3
    assert batch.ordinary.dtype == torch.bool
    assert batches([], vocabularies.masked()) == []


@given(words=TEXTS.filter(len), start=st.integers(0, 19), count=st.integers(1, 20))
def test_rows_are_the_batch_that_these_texts_would_have_been(words, start, count):
    texts, tokenizer = [" ".join(row) for row in words], vocabularies.masked()
    (whole,) = batches(texts, tokenizer, max_tokens=10_000)
    start %= len(texts)
    part = whole.rows(start, start + count)
    index = whole.index[start : start + count].tolist()
    (alone,) = batches([texts[i] for i in index], tokenizer, max_tokens=10_000)
    order = alone.index.argsort()  # of equal length the first comes first, in both
    assert part.width == alone.width == part.input_ids.shape[1]
    for name in ("input_ids", "attention_mask", "ordinary"):
        assert torch.equal(getattr(part, name), getattr(alone, name)[order])
    assert part.index.tolist() == index


@given(words=TEXTS, max_tokens=st.integers(1, 60))
def test_texts_of_the_same_tokens_are_kept_once(words, max_tokens):
    tokenizer, texts = vocabularies.masked(), [" ".join(row) for row in words * 2]
    kept, representative = deduplicate(batches(texts, tokenizer, max_tokens=max_tokens))
    ids = [tuple(tokenizer(text)["input_ids"]) for text in texts]
    for i, j in enumerate(representative.tolist()):
        assert ids[i] == ids[j]
        assert representative[j] == j
    there = {int(i): tuple(row[row_mask.bool()].tolist()) for b in kept for i, row, row_mask in rows_of(b)}
    assert set(there) == set(representative.tolist())
    assert len(there) == len(set(ids))
    assert all(there[i] == ids[i] for i in there)


def rows_of(batch):
    return zip(batch.index, batch.input_ids, batch.attention_mask, strict=True)


def test_the_same_ids_are_other_tokens_where_they_are_special():
    (batch,) = batches(["w1", "w1"], vocabularies.masked())
    batch.ordinary[1] = ~batch.ordinary[1]
    assert deduplicate([batch])[1].tolist() == [0, 1]


def test_a_budget_of_nothing_is_refused():
    with pytest.raises(ValueError, match="`max_tokens` to be positive, but got 0"):
        batches(["w1"], vocabularies.masked(), max_tokens=0)


def test_fingerprint_is_of_the_tokens_not_of_the_batches():
    texts = ["w1 w2", "w3", "w4 w5 w6"]
    tokenizer = vocabularies.masked()
    whole = token_fingerprint(batches(texts, tokenizer))
    assert whole == token_fingerprint(batches(texts, tokenizer, max_tokens=1))
    others = [texts[::-1], ["w1 w2", "w3", "w4 w5 w7"], texts[:2], ["w1", "w2 w3", "w4 w5 w6"]]
    assert whole not in {token_fingerprint(batches(other, tokenizer)) for other in others}
    assert whole != token_fingerprint(batches(texts, tokenizer, max_length=4))

import re

import pytest
from tokenizers import normalizers
from transformers import ByT5Tokenizer

from babelscope.data.encoding import attention_mask, count_added, encode, naming_sentences, pad, pad_id
from tests.data import vocabularies


@pytest.mark.parametrize(
    ("tokenizer", "added"),
    [
        (vocabularies.masked(), (1, 1)),
        (vocabularies.span(), (0, 1)),
        (vocabularies.causal(), (0, 0)),
        (vocabularies.llama(), (1, 0)),
        (ByT5Tokenizer(), (0, 1)),  # written in Python, not Rust
    ],
)
def test_special_tokens_are_those_around_the_text(tokenizer, added):
    before, after = count_added(tokenizer)
    assert (before, after) == added
    for text in encode(["w1 w2 </s> w3", "w1 " * 50], tokenizer, max_length=12):
        middle = len(text.ids) - before - after
        assert text.special == [True] * before + [False] * middle + [True] * after
        assert len(text.ids) <= 12
        if after:
            assert text.ids[-1] == tokenizer.eos_token_id


def test_the_limit_of_the_tokenizer_holds_without_a_warning(caplog):
    (text,) = encode(["w1 " * 50], vocabularies.masked(model_max_length=6), max_length=512)
    assert len(text.ids) == 6
    assert not caplog.records


@pytest.mark.parametrize("text", ["", "  "])
def test_a_text_without_tokens_is_named(text):
    with pytest.raises(ValueError, match=r"text 2 of 2 \('.*'\) has none; remove it$"):
        encode(["w1", text], vocabularies.masked())


@pytest.mark.parametrize(("text", "shown"), [("\u200b", r"\u200b"), ("\ufe0f", r"\ufe0f"), ("木", "木")])
def test_a_sentence_without_tokens_is_named_and_visible(text, shown):
    tokenizer = vocabularies.masked()
    tokenizer.backend_tokenizer.normalizer = normalizers.Replace(text, "")
    with (
        pytest.raises(ValueError, match=re.escape(f"sentence 'b' in deu_Latn ('{shown}') has none; remove it from ev")),
        naming_sentences(["eng_Latn", "deu_Latn"], ["a", "b"]),
    ):
        encode(["w1", "w2", "w3", text], tokenizer)


def test_max_length_without_room_is_refused():
    with pytest.raises(ValueError, match="more than the 2 special tokens of a text, but got 2"):
        encode(["w1"], vocabularies.masked(), max_length=2)
    assert encode([], vocabularies.masked()) == []


def test_padding_falls_back_on_end_unknown_and_zero():
    assert pad_id(vocabularies.masked()) == 1
    assert pad_id(vocabularies.causal()) == 1
    tokenizer = vocabularies.causal()
    tokenizer.eos_token = None
    assert pad_id(tokenizer) == 2
    tokenizer.unk_token = None
    assert pad_id(tokenizer) == 0


def test_padding_is_on_the_right():
    assert pad([[5], [6, 7]], 9).tolist() == [[5, 9], [6, 7]]
    assert attention_mask([[5], [6, 7]]).tolist() == [[1, 0], [1, 1]]


@pytest.mark.parametrize("tokenizer", [vocabularies.masked(), vocabularies.causal(), ByT5Tokenizer()])
def test_texts_are_cut_on_the_right_and_the_tokenizer_is_left_alone(tokenizer):
    tokenizer.truncation_side = "left"
    (whole,), (cut,) = encode(["w1 w2 w3 w4 w5"], tokenizer), encode(["w1 w2 w3 w4 w5"], tokenizer, max_length=4)
    after = count_added(tokenizer)[1]
    assert cut.ids == whole.ids[: 4 - after] + whole.ids[len(whole.ids) - after :]
    assert tokenizer.truncation_side == "left"

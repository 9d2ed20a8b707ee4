import pytest
from transformers import AutoTokenizer

from babelscope.data import vocabulary
from babelscope.data.lab import LANGUAGES, lab_text

KINDS = {
    "xlmr_unigram": (1, 1),
    "mt5_unigram": (0, 1),
    "bloom_bytes": (0, 0),
    "llama_bpe": (1, 0),
}


@pytest.fixture(scope="module")
def texts():
    corpus = lab_text(LANGUAGES, sentences=150)
    return [text for language in LANGUAGES for text in corpus.texts[language]]


@pytest.fixture(scope="module", params=KINDS)
def trained(request, texts):
    return request.param, getattr(vocabulary, request.param)(texts, size=4500)


def test_special_tokens_are_those_of_the_family(trained, texts):
    kind, tokenizer = trained
    before, after = KINDS[kind]
    mask = tokenizer(texts[0], return_special_tokens_mask=True)["special_tokens_mask"]
    assert mask[:before] == [1] * before
    assert mask[len(mask) - after :] == [1] * after
    assert sum(mask) == before + after
    assert (tokenizer.pad_token is None) == (kind == "llama_bpe")  # as published: padding is handled, not invented


def test_every_script_survives_a_round_trip(trained, texts):
    _, tokenizer = trained
    for text in texts[::37]:
        back = tokenizer.decode(tokenizer(text)["input_ids"], skip_special_tokens=True)
        assert back.replace(" ", "") == text.replace(" ", "")


def test_size_is_kept_and_a_second_training_is_the_same(trained, texts):
    kind, tokenizer = trained
    again = getattr(vocabulary, kind)(texts, size=4500)
    assert len(tokenizer) <= 4500
    assert again.get_vocab() == tokenizer.get_vocab()


def test_saved_and_loaded_it_is_the_same(trained, texts, tmp_path):
    _, tokenizer = trained
    tokenizer.save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    assert loaded(texts[::50])["input_ids"] == tokenizer(texts[::50])["input_ids"]


def test_text_outside_the_vocabulary_is_no_error(trained):
    _, tokenizer = trained
    assert len(tokenizer("ꦧꦱꦗꦮ 🜛")["input_ids"]) > 0

"""Tokenizers that put the language beside a text: Hugging Face's own classes, with a vocabulary of single letters."""

import json

import pytest
import sentencepiece
from transformers import AutoTokenizer, M2M100Tokenizer, MBart50Tokenizer, MBartTokenizer, NllbTokenizer

from babelscope.data.corpora import Corpus
from babelscope.data.encoding import encode
from babelscope.data.short_codes import SHORT
from babelscope.data.source_language import source_language
from babelscope.data.tasks import encode_texts
from babelscope.states.embed import prepare
from tests.models.tiny import tiny_tokenizer

LETTERS = "▁abcdefghijklmnopqrstuvwxyzäöüабвг"
SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")
TEXTS = ("ab", "cd ef")


def nllb(_):
    return NllbTokenizer(vocab={token: i for i, token in enumerate((*SPECIAL, *LETTERS))}, merges=[])


def mbart(kind):
    return kind(vocab=[(token, -float(i)) for i, token in enumerate((*SPECIAL, *LETTERS))])


def m2m(folder):
    text, stem = folder / "text", folder / "sentencepiece.bpe"
    text.write_text("\n".join([*LETTERS[1:], "ab", "cd ef"] * 3))
    sentencepiece.SentencePieceTrainer.train(
        input=str(text), model_prefix=str(stem), model_type="char", vocab_size=len(LETTERS) + 4, minloglevel=2
    )
    (folder / "vocab.json").write_text(json.dumps({token: i for i, token in enumerate((*SPECIAL, *LETTERS))}))
    return M2M100Tokenizer(str(folder / "vocab.json"), f"{stem}.model")


MADE = {
    "nllb": (nllb, "deu_Latn"),
    "m2m_100": (m2m, "__de__"),
    "mbart": (lambda _: mbart(MBartTokenizer), "de_DE"),
    "mbart50": (lambda _: mbart(MBart50Tokenizer), "de_DE"),
}


@pytest.fixture(params=MADE)
def made(request, tmp_path):
    """A tokenizer as it is loaded from a checkpoint, and its token of German."""
    make, token = MADE[request.param]
    make(tmp_path).save_pretrained(tmp_path / "saved")
    (tmp_path / "saved" / "config.json").write_text(json.dumps({"model_type": request.param.removesuffix("50")}))
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "saved")
    return tokenizer, token


def test_a_text_has_the_token_of_its_language(made):
    tokenizer, token = made
    german, english = encode(TEXTS, tokenizer, languages=["deu_Latn"] * 2), encode(TEXTS, tokenizer)
    wanted = tokenizer.convert_tokens_to_ids(token)
    assert wanted != tokenizer.unk_token_id
    for mine, theirs in zip(german, english, strict=True):
        changed = [(i, j) for i, j in zip(mine.ids, theirs.ids, strict=True) if i != j]
        assert [i for i, _ in changed] == [wanted]
        assert mine.special == theirs.special
        assert [i for i, special in zip(mine.ids, mine.special, strict=True) if special].count(wanted) == 1
    assert encode(TEXTS, tokenizer) == english


def test_languages_of_a_batch_of_texts(made):
    tokenizer, _ = made
    mixed = encode([*TEXTS, *TEXTS], tokenizer, languages=["deu_Latn", "fra_Latn", "fra_Latn", "deu_Latn"])
    apart = {code: encode(TEXTS, tokenizer, languages=[code] * 2) for code in ("deu_Latn", "fra_Latn")}
    assert mixed == [apart["deu_Latn"][0], apart["fra_Latn"][1], apart["fra_Latn"][0], apart["deu_Latn"][1]]


def test_corpora_and_tasks_tell_it(made):
    tokenizer, token = made
    wanted = tokenizer.convert_tokens_to_ids(token)
    corpus = Corpus("toy", ("1", "2"), {"eng_Latn": TEXTS, "deu_Latn": TEXTS})
    prepared = prepare(corpus, tokenizer)
    said = {
        int(index): wanted in ids
        for batch in prepared.batches
        for index, ids in zip(batch.index, batch.input_ids.tolist(), strict=True)
    }
    assert said == {0: False, 1: False, 2: True, 3: True}
    rows = encode_texts(corpus, "deu_Latn", tokenizer=tokenizer, max_length=32)
    assert all(wanted in row["input_ids"] for row in rows)


def test_a_language_without_a_token_is_refused_and_nothing_is_changed(made):
    tokenizer, _ = made
    before = tokenizer.src_lang
    with (
        pytest.raises(ValueError, match="has none of 'tlh_Latn'; leave it out"),
        source_language(tokenizer, "tlh_Latn"),
    ):
        raise AssertionError
    with pytest.raises(KeyError), source_language(tokenizer, "fra_Latn"):
        raise KeyError
    assert tokenizer.src_lang == before


def test_other_tokenizers_are_left_alone():
    assert encode(TEXTS, tiny_tokenizer(), languages=["deu_Latn", "tlh_Latn"]) == encode(TEXTS, tiny_tokenizer())


def test_short_names_are_those_that_the_tokenizers_have(tmp_path):
    many, few = m2m(tmp_path).lang_code_to_id, mbart(MBart50Tokenizer).lang_code_to_id
    assert set(SHORT.values()) >= set(many) | {code.split("_")[0] for code in few}

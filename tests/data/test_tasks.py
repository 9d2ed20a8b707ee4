from dataclasses import replace

import pytest
import torch
from tokenizers import normalizers
from transformers import BloomConfig, BloomForSequenceClassification, MT5Config, MT5ForSequenceClassification

from babelscope.data import Corpus
from babelscope.data.encoding import pad_id
from babelscope.data.tasks import classification, label_names, lm
from tests.data import vocabularies

CORPUS = Corpus(
    "test",
    ("1", "2", "3"),
    {"eng_Latn": ("w1 w2", "w3 </s> w4", "w5 " * 30), "deu_Latn": ("w6", "w7", "w8 w9")},
    ("travel", "health", "travel"),
)


def test_labels_are_sorted_and_numbered():
    labels = label_names(CORPUS)
    assert labels == ("health", "travel")
    task = classification(vocabularies.masked(), labels)
    assert task.labels == labels
    assert [row["labels"] for row in task.encode(CORPUS, "deu_Latn")] == [1, 0, 1]
    assert task.collate(task.encode(CORPUS, "eng_Latn"))["labels"].tolist() == [1, 0, 1]


def test_a_test_corpus_may_lack_a_label_but_not_add_one():
    task = classification(vocabularies.masked(), ("health", "travel"))
    assert len(task.encode(CORPUS.take([0]), "eng_Latn")) == 1
    with pytest.raises(ValueError, match="labels health, travel in 'test', but got 'sports' in eng_Latn"):
        task.encode(replace(CORPUS, labels=("sports", "health", "travel")), "eng_Latn")
    with pytest.raises(ValueError, match="'test' has none; choose task=lm"):
        task.encode(replace(CORPUS, labels=None), "eng_Latn")


@pytest.mark.parametrize(("labels", "count"), [(None, 0), (("a", "a", "a"), 1)])
def test_a_corpus_without_labels_has_no_topics(labels, count):
    with pytest.raises(
        ValueError, match=f"at least 2 labels to tell apart, but 'test' has {count}; choose.*by corpus.labels"
    ):
        label_names(replace(CORPUS, labels=labels))


def test_a_sentence_without_tokens_is_named():
    tokenizer = vocabularies.masked()
    tokenizer.backend_tokenizer.normalizer = normalizers.Replace("w7", "")
    with pytest.raises(ValueError, match=r"sentence '2' in deu_Latn \('w7'\) has none; remove it from every language"):
        lm(tokenizer, "masked").encode(CORPUS, "deu_Latn")


def test_a_sentence_of_end_tokens_only_is_named():
    tokenizer = vocabularies.span()
    texts = {"eng_Latn": ("w1", f"{tokenizer.eos_token}{tokenizer.eos_token}")}
    with pytest.raises(ValueError, match=r"sentence '2' in eng_Latn .* has none; remove it from every language"):
        lm(tokenizer, "span").encode(Corpus("ends", ("1", "2"), texts), "eng_Latn")


def test_an_absent_language_is_named():
    with pytest.raises(ValueError, match="got 'fra_Latn'"):
        lm(vocabularies.masked(), "masked").encode(CORPUS, "fra_Latn")


def test_language_modelling_is_random_in_training_only():
    task = lm(vocabularies.masked(), "masked", max_length=8)
    assert task.labels is None
    rows = task.encode(CORPUS, "eng_Latn")
    assert [len(row["input_ids"]) for row in rows] == [4, 4, 8]
    assert task.collate_same(rows)["labels"].equal(task.collate_same(rows)["labels"])
    torch.manual_seed(0)
    draws = [task.collate(rows)["input_ids"] for _ in range(8)]
    assert any(not draw.equal(draws[0]) for draw in draws)


def test_mt5_gets_exactly_one_end_token():
    tokenizer = vocabularies.span()
    task = classification(tokenizer, label_names(CORPUS), max_length=6)
    batch = task.collate(task.encode(CORPUS, "eng_Latn"))
    assert (batch["input_ids"] == tokenizer.eos_token_id).sum(dim=1).tolist() == [1, 1, 1]
    config = MT5Config(
        vocab_size=len(tokenizer), d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=2, num_labels=2,
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id, decoder_start_token_id=0,
    )  # fmt: skip
    assert MT5ForSequenceClassification(config)(**batch).loss.isfinite()


def test_a_causal_classifier_reads_the_last_token_before_the_padding():
    tokenizer = vocabularies.causal()
    task = classification(tokenizer, label_names(CORPUS))
    rows = task.encode(CORPUS, "deu_Latn")
    config = BloomConfig(vocab_size=len(tokenizer), hidden_size=8, n_layer=1, n_head=2, pad_token_id=pad_id(tokenizer))
    model = BloomForSequenceClassification(config).eval()
    together = model(**task.collate(rows)).logits
    apart = torch.cat([model(**task.collate([row])).logits for row in rows])
    assert torch.allclose(together, apart, atol=1e-5)

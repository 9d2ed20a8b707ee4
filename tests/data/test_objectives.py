import pickle

import pytest
import torch
from torch.utils.data import DataLoader

from babelscope.data.objectives import Classification, MaskedTokens, SpanCorruption, collator_for
from tests.data import vocabularies
from tests.data.test_spans import restore

TEXTS = [" ".join(f"w{(i * 7 + j) % 40}" for j in range(5 + 3 * i)) for i in range(8)]
KINDS = {"masked": vocabularies.masked, "span": vocabularies.span, "causal": vocabularies.causal}


def examples(tokenizer, texts=TEXTS):
    return [{"input_ids": ids} for ids in tokenizer(texts)["input_ids"]]


@pytest.mark.parametrize("objective", KINDS)
def test_a_seed_makes_equal_batches_equal(objective):
    tokenizer = KINDS[objective]()
    rows = examples(tokenizer)
    seeded = collator_for(objective, tokenizer, seed=3)
    first = seeded(rows)
    torch.rand(5)
    for again in (seeded(rows), pickle.loads(pickle.dumps(seeded))(rows)):
        assert all(first[key].equal(again[key]) for key in ("input_ids", "attention_mask", "labels"))
    if objective != "causal":
        other = collator_for(objective, tokenizer, seed=4)(rows)
        assert not first["input_ids"].equal(other["input_ids"])


@pytest.mark.parametrize("objective", ["masked", "span"])
def test_without_a_seed_the_global_generator_decides(objective):
    tokenizer = KINDS[objective]()
    loader = DataLoader(examples(tokenizer), batch_size=8, collate_fn=collator_for(objective, tokenizer))
    torch.manual_seed(0)
    first, second = next(iter(loader)), next(iter(loader))
    torch.manual_seed(0)
    again = next(iter(loader))
    assert first["input_ids"].equal(again["input_ids"])
    assert not first["input_ids"].equal(second["input_ids"])


def test_masking_leaves_special_tokens_and_padding_alone():
    tokenizer = vocabularies.masked()
    rows = examples(tokenizer)
    collate = MaskedTokens(tokenizer, probability=0.9)
    batch = collate(rows)
    parts = (batch[key] for key in ("input_ids", "attention_mask", "labels"))
    for row, ids, attended, labels in zip(rows, *parts, strict=True):
        length = len(row["input_ids"])
        assert attended.tolist() == [1] * length + [0] * (ids.numel() - length)
        assert (ids[length:] == tokenizer.pad_token_id).all()
        assert labels[0] == labels[length - 1] == -100
        assert (labels[length:] == -100).all()
        original = torch.tensor(row["input_ids"])
        chosen = labels[:length] != -100
        assert labels[:length][chosen].equal(original[chosen])
        assert ids[:length][~chosen].equal(original[~chosen])


def test_fifteen_per_cent_are_masked_and_never_none():
    tokenizer = vocabularies.masked()
    rows = examples(tokenizer, ["w1 " * 500] * 40)
    labels = collator_for("masked", tokenizer, seed=0)(rows)["labels"]
    assert (labels != -100).float().mean() == pytest.approx(0.15, abs=0.01)
    collate = collator_for("masked", tokenizer)
    assert all((collate(examples(tokenizer, ["w1"]))["labels"] != -100).any() for _ in range(20))


def test_next_tokens_are_the_ids_even_where_padding_is_the_end_token():
    tokenizer = vocabularies.causal()
    assert tokenizer.pad_token_id is None
    batch = collator_for("causal", tokenizer)([{"input_ids": [5, 6, 1]}, {"input_ids": [7, 8]}])
    assert batch["input_ids"].tolist() == [[5, 6, 1], [7, 8, 1]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 1, 0]]
    assert batch["labels"].tolist() == [[-100, 6, 1], [-100, 8, -100]]
    with pytest.raises(ValueError, match="at least 2 tokens"):
        collator_for("causal", tokenizer)([{"input_ids": [5]}])


def test_spans_restore_the_text_and_both_sides_end():
    tokenizer = vocabularies.span()
    rows = examples(tokenizer)
    collate = SpanCorruption(tokenizer)
    batch = collate(rows)
    parts = (batch[key] for key in ("input_ids", "attention_mask", "labels"))
    for row, ids, attended, labels in zip(rows, *parts, strict=True):
        text, target = ids[attended.bool()].tolist(), labels[labels != -100].tolist()
        assert text[-1] == target[-1] == tokenizer.eos_token_id
        assert restore(text[:-1], target[:-1], collate.sentinels) == row["input_ids"][:-1]
        assert (ids[~attended.bool()] == tokenizer.pad_token_id).all()


def test_classes_are_stacked():
    batch = Classification(vocabularies.llama())([{"input_ids": [5, 6], "labels": 1}, {"input_ids": [7], "labels": 0}])
    assert batch["input_ids"].tolist() == [[5, 6], [7, 2]]
    assert batch["labels"].tolist() == [1, 0]


@pytest.mark.parametrize(
    ("objective", "tokenizer", "message"),
    [
        ("masked", vocabularies.causal, "a mask token"),
        ("span", vocabularies.masked, "<extra_id_0>"),
        ("prefix", vocabularies.masked, "one of masked, span, causal, but got 'prefix'"),
    ],
)
def test_what_a_tokenizer_lacks_is_named_at_once(objective, tokenizer, message):
    with pytest.raises(ValueError, match=message) as error:
        collator_for(objective, tokenizer())
    assert "\n" not in str(error.value)

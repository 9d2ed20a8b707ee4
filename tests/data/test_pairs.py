import pytest
import torch
from tokenizers import pre_tokenizers, processors
from transformers import AutoModelForSequenceClassification, BertTokenizer

from babelscope.data.encoding import NoTokensError
from babelscope.data.labelled import Examples, LabelledCorpus
from babelscope.data.pairs import BETWEEN, encode_pairs
from babelscope.data.tasks import classification, label_names, lm, reads_segments
from tests.data import vocabularies
from tests.models.tiny import tiny_config, tiny_model, tiny_tokenizer

PAIRS = [("A dog runs.", "An animal runs."), ("Она читает", "книгу"), ("一", "二三")]
LABELS = ("contradiction", "entailment", "neutral")
TEXT = LabelledCorpus(
    "pairs",
    {
        "eng_Latn": Examples(
            ("1", "2", "3"),
            texts=tuple(first for first, _ in PAIRS),
            seconds=tuple(second for _, second in PAIRS),
            labels=("neutral", "entailment", "neutral"),
        )
    },
)


def bert(tmp_path):
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(f"w{i}" for i in range(20))]
    (tmp_path / "vocab.txt").write_text("\n".join(words))
    return BertTokenizer(str(tmp_path / "vocab.txt"))


def byte_level(post_processor=None):
    """As BLOOM's and GPT-2's: nothing is put between two texts."""
    tokenizer = tiny_tokenizer()
    bare = post_processor or processors.ByteLevel(trim_offsets=True)
    tokenizer.backend_tokenizer.post_processor = bare
    return tokenizer


def test_a_template_of_pairs_is_that_of_the_tokenizer(tmp_path):
    tokenizer, pairs = bert(tmp_path), [("w1 w2", "w3"), ("w4", "w5 w6 w7")]
    own = tokenizer(*map(list, zip(*pairs, strict=True)))
    made = encode_pairs(pairs, tokenizer)
    assert [pair.ids for pair in made] == own["input_ids"]
    assert [pair.segments for pair in made] == own["token_type_ids"] == [[0, 0, 0, 0, 1, 1], [0, 0, 0, 1, 1, 1, 1]]
    assert [pair.special.count(True) for pair in made] == [3, 3]
    byte = tiny_tokenizer()
    assert [pair.ids for pair in encode_pairs(PAIRS, byte)] == [byte(*pair)["input_ids"] for pair in PAIRS]


@pytest.mark.parametrize(
    ("tokenizer", "around"),
    [
        (byte_level(), (0, 0)),
        # a template for single texts only: that of pairs has no special tokens at all then
        (
            byte_level(processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)])),
            (1, 1),
        ),
    ],
)
def test_where_nothing_is_put_between_texts_a_line_ends(tokenizer, around):
    before, after = around
    for pair, made in zip(PAIRS, encode_pairs(PAIRS, tokenizer), strict=True):
        assert made.ids == tokenizer(BETWEEN.join(pair))["input_ids"]
        assert made.special == [True] * before + [False] * (len(made.ids) - before - after) + [True] * after
        first = before + len(tokenizer(pair[0], add_special_tokens=False)["input_ids"])
        assert made.segments == [0] * first + [1] * (len(made.ids) - first)


@pytest.mark.parametrize("tokenizer", [tiny_tokenizer(), byte_level()])
@pytest.mark.parametrize(("first", "second"), [(40, 3), (3, 40), (20, 20), (21, 20), (40, 41), (3, 3)])
def test_the_longer_text_is_cut_first(tokenizer, first, second):
    (made,) = encode_pairs([("a" * first, "b" * second)], tokenizer, max_length=20)
    (whole,) = encode_pairs([("a" * first, "b" * second)], tokenizer)
    assert len(made.ids) == min(len(whole.ids), 20)
    text = tokenizer.decode([i for i, special in zip(made.ids, made.special, strict=True) if not special])
    left = text.count("a"), text.count("b")
    assert left[0] == 3 if first == 3 else left[1] == 3 if second == 3 else abs(left[0] - left[1]) <= 1
    assert tokenizer.truncation_side == "right"


def test_pairs_without_room_or_tokens_are_refused():
    with pytest.raises(
        ValueError, match=r"more than the 3 special tokens of a pair and a token of each text, but got 4"
    ):
        encode_pairs(PAIRS, tiny_tokenizer(), max_length=4)
    silent = tiny_tokenizer()
    silent.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.CharDelimiterSplit("x"), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    with pytest.raises(NoTokensError, match="text 2 of 2"):
        encode_pairs([("a", "b"), ("x", "x")], silent)


def test_a_task_of_pairs_knows_segments_where_the_model_does(tmp_path):
    tokenizer = bert(tmp_path)
    text = LabelledCorpus("w", {"eng_Latn": Examples(("1", "2"), ("w1 w2", "w3"), ("w4", "w5 w6"), ("a", "b"))})
    assert reads_segments(tokenizer, tiny_config("bert"))
    assert not reads_segments(tiny_tokenizer(), tiny_config("bert"))
    assert not any(reads_segments(tokenizer, tiny_config(name)) for name in ("gpt2", "deberta-v2", "llama", "mt5"))
    assert not reads_segments(tokenizer, tiny_config("xlm-roberta", type_vocab_size=1))
    task = classification(tokenizer, label_names(text), segments=True)
    batch = task.collate(task.encode(text, "eng_Latn"))
    own = tokenizer(["w1 w2", "w3"], ["w4", "w5 w6"], padding=True, return_tensors="pt")
    assert {name: value.tolist() for name, value in batch.items()} == {
        **{name: own[name].tolist() for name in ("input_ids", "token_type_ids", "attention_mask")},
        "labels": [0, 1],
    }
    model = tiny_model("bert", "classification", labels=2)
    with torch.inference_mode():
        assert model(**batch).logits.equal(model(**own).logits)
    without = classification(tokenizer, label_names(text))
    assert "token_type_ids" not in without.collate(without.encode(text, "eng_Latn"))


@pytest.mark.parametrize("model_type", ["xlm-roberta", "mt5", "llama", "bloom", "bert", "gpt2"])
def test_every_kind_of_classifier_reads_pairs(model_type):
    task = classification(tiny_tokenizer(), LABELS, segments=reads_segments(tiny_tokenizer(), tiny_config(model_type)))
    model = tiny_model(model_type, "classification", labels=3)
    rows = task.encode(TEXT, "eng_Latn")
    assert [row["labels"] for row in rows] == [2, 1, 2]
    with torch.inference_mode():
        together = model(**task.collate(rows)).logits
        apart = torch.cat([model(**task.collate([row])).logits for row in rows])
    assert torch.allclose(together, apart, atol=1e-4)
    assert isinstance(model, AutoModelForSequenceClassification._model_mapping[type(model.config)])


def test_mt5_gets_as_many_end_tokens_for_each_pair():
    tokenizer = vocabularies.span()
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", tokenizer.eos_token_id)]
    )
    text = LabelledCorpus(
        "ends", {"eng_Latn": Examples(("1", "2"), ("w1 </s>", "w2"), ("w3", "</s> w4 w5"), ("a", "b"))}
    )
    rows = classification(tokenizer, ("a", "b")).encode(text, "eng_Latn")
    assert [row["input_ids"].count(tokenizer.eos_token_id) for row in rows] == [2, 2]


def test_a_pair_of_end_tokens_only_is_named():
    text = LabelledCorpus("ends", {"eng_Latn": Examples(("1", "2"), ("w1", "</s>"), ("</s>", "</s>"), ("a", "b"))})
    with pytest.raises(ValueError, match=r"sentence '2' in eng_Latn \('</s> </s>'\) has none; remove it"):
        classification(vocabularies.span(), ("a", "b")).encode(text, "eng_Latn")


def test_language_modelling_reads_both_texts_of_a_pair():
    rows = lm(tiny_tokenizer(), "masked").encode(TEXT, "eng_Latn")
    assert [row["input_ids"] for row in rows] == [pair.ids for pair in encode_pairs(PAIRS, tiny_tokenizer())]

import pytest
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from babelscope.analyses.tokens.token_rows import token_rows
from babelscope.analyses.tokens.translations import single_tokens, translate
from babelscope.analyses.tokens.vocabulary import label_tokens
from babelscope.data.pieces import decode_pieces

N = 40
TEXTS = [f"e{i}" for i in range(N)] + [f"f{i}" for i in range(N)]
GOLD = {f"e{i}": {f"f{i}"} for i in range(N)}
IDS = {text: (i,) for i, text in enumerate(TEXTS)}
PAIR = ("eng_Latn", "fra_Latn")


def plant(good):
    """The first `good` translations lie together, the rest are swapped in pairs."""
    meaning = torch.randn(N, 64, generator=torch.Generator().manual_seed(0))
    order = [i if i < good else i ^ 1 for i in range(N)]
    return token_rows(torch.cat([meaning, meaning[order] + 0.01]), ["Latn"] * (2 * N))


def look(word):
    return IDS.get(word, ())


def values(found):
    return {(row["metric"], row["language"], row["other"]): row["value"] for row in found.rows}


@pytest.mark.parametrize("good", [0, 30, 40])
def test_planted_precision(good):
    found = translate(plant(good), {PAIR: GOLD}, look, vocabulary=True, k=[1, 40])
    rows = values(found)
    assert rows["translation_p@1", *PAIR] == good / N
    assert rows["translation_vocabulary_p@1", *PAIR] == good / N
    assert rows["translation_p@40", *PAIR] == rows["translation_null@40", *PAIR] == 1
    assert rows["translation_null@1", *PAIR] == pytest.approx(1 / N)
    assert rows["translation_p@1", "", ""] == good / N
    assert rows["translation_coverage", *PAIR] == 1
    assert len(found.examples) == 20
    assert found.examples[0].word == "e0"
    assert found.examples[0].neighbours[0][2] == (good > 0)


def test_coverage_counts_words_without_vector_or_translation():
    dictionary = GOLD | {"absent": {"f1"}, "e0": {"absent"}, "e1": {"e1"}}
    rows = values(translate(plant(40), {PAIR: dictionary}, look))
    assert rows["translation_words", *PAIR] == N - 2
    assert rows["translation_coverage", *PAIR] == (N - 2) / (N + 1)


def test_mean_of_pieces():
    x = torch.randn(6, 16, generator=torch.Generator().manual_seed(0))
    x[4] = (torch.nn.functional.normalize(x[:2], dim=1)).sum(0)
    tokens = token_rows(x, ["Latn"] * 6)
    pieces = {"ab": [0, 1], "mot": [4], "autre": [5], "c": [2]}
    found = translate(tokens, {PAIR: {"ab": {"mot"}, "c": {"autre"}}}, lambda word: pieces.get(word, []), k=[1])
    assert found.examples[0].neighbours[0][0] == "mot"
    assert found.examples[0].neighbours[0][1] == pytest.approx(1)


def wordpiece():
    pieces = ["[UNK]", "ha", "##us", "##haus", "haus", "##und", "hund", "mann", "ein"]
    tokenizer = Tokenizer(models.WordPiece({piece: i for i, piece in enumerate(pieces)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]")


def metaspace():
    pieces = [
        ("<unk>", 0.0),
        ("▁", -3.0),
        ("▁▁", -0.1),
        ("▁dog", -1.0),
        ("dog", -1.0),
        ("诗", -1.0),
        ("s", -2.0),
        ("▁a", -1.0),
    ]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=0))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>")


def bytelevel():
    pieces = ["d", "o", "g", "s", "Ġ", "do", "dog", "Ġdog", "dogs"]
    merges = [("d", "o"), ("do", "g"), ("Ġ", "dog"), ("dog", "s")]
    tokenizer = Tokenizer(models.BPE(vocab={piece: i for i, piece in enumerate(pieces)}, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer)


@pytest.mark.parametrize(
    ("tokenizer", "found"),
    [
        # continuations of words are none, and what the tokenizer makes of capitals is
        (wordpiece(), {"haus": "haus", "Hund": "hund", "und": None, "us": None, "mannein": None}),
        # nor are pieces that a lone mark of a beginning precedes more than one
        (metaspace(), {"dog": "▁dog", "诗": "诗", "dogs": None, "a": "▁a", "aa": None}),
        # within a sentence first, then at the beginning of a text
        (bytelevel(), {"dog": "Ġdog", "dogs": "dogs", "dogdog": None, "": None}),
    ],
    ids=["wordpiece", "metaspace", "bytelevel"],
)
def test_a_word_is_one_token_where_its_tokenizer_says_so(tokenizer, found):
    pieces = label_tokens(decode_pieces(tokenizer)).pieces
    find = single_tokens(tokenizer, pieces, found)
    known = tokenizer.get_vocab()
    assert {word: find(word) for word in found} == {
        word: () if piece is None else (known[piece],) for word, piece in found.items()
    }
    assert find("what was not asked for") == ()
    assert single_tokens(tokenizer, pieces, [])("dog") == ()


def test_words_that_are_one_row_share_their_translations():
    ids = {"Hund": (0,), "hund": (0,), "dog": (40,), "hound": (41,)}
    found = translate(
        plant(40), {PAIR: {"Hund": {"dog"}, "hund": {"hound"}}}, lambda w: ids.get(w, ()), vocabulary=True
    )
    assert values(found)["translation_vocabulary_p@1", *PAIR] == 1


def test_a_pair_without_cover_is_reported_and_none_at_all_refused():
    other = ("eng_Latn", "kor_Hang")
    rows = values(translate(plant(40), {PAIR: GOLD, other: {"x": {"y"}}}, look))
    assert rows["translation_coverage", *other] == 0
    assert ("translation_p@1", *other) not in rows
    with pytest.raises(ValueError, match="covered pairs"):
        translate(plant(40), {other: {"x": {"y"}}}, look)

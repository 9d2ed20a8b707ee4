import pytest
import torch

from babelscope.analyses.token_rows import token_rows
from babelscope.analyses.translations import single_tokens, translate

N = 40
TEXTS = [f"e{i}" for i in range(N)] + [f"f{i}" for i in range(N)]
GOLD = {f"e{i}": {f"f{i}"} for i in range(N)}
PAIR = ("eng_Latn", "fra_Latn")


def plant(good):
    """The first `good` translations lie together, the rest are swapped in pairs."""
    meaning = torch.randn(N, 64, generator=torch.Generator().manual_seed(0))
    order = [i if i < good else i ^ 1 for i in range(N)]
    return token_rows(torch.cat([meaning, meaning[order] + 0.01]), ["Latn"] * (2 * N))


def values(found):
    return {(row["metric"], row["language"], row["other"]): row["value"] for row in found.rows}


@pytest.mark.parametrize("good", [0, 30, 40])
def test_planted_precision(good):
    found = translate(plant(good), {PAIR: GOLD}, single_tokens(TEXTS), texts=TEXTS, k=[1, 40])
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
    rows = values(translate(plant(40), {PAIR: dictionary}, single_tokens(TEXTS)))
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


def test_a_word_that_starts_a_word_is_preferred():
    find = single_tokens(["a", "a", "b", ""], [False, True, False, True])
    assert (find("a"), find("b"), find(""), find("c")) == ((1,), (2,), (), ())


def test_a_pair_without_cover_is_reported_and_none_at_all_refused():
    other = ("eng_Latn", "kor_Hang")
    rows = values(translate(plant(40), {PAIR: GOLD, other: {"x": {"y"}}}, single_tokens(TEXTS)))
    assert rows["translation_coverage", *other] == 0
    assert ("translation_p@1", *other) not in rows
    with pytest.raises(ValueError, match="covered pairs"):
        translate(plant(40), {other: {"x": {"y"}}}, single_tokens(TEXTS))

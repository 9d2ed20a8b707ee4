import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import ByT5Tokenizer

from babelscope.data.objectives import SpanCorruption
from babelscope.data.spans import corrupt, find_sentinels
from tests.data import vocabularies

SENTINELS = list(range(1000, 1100))


def restore(corrupted: list[int], target: list[int], sentinels: list[int]) -> list[int]:
    """Put what follows a sentinel in the target where the sentinel stands in the text."""
    spans: dict[int, list[int]] = {}
    for token in target:
        if token in sentinels:
            spans[token] = []
        else:
            spans[list(spans)[-1]].append(token)
    return [token for i in corrupted for token in spans.get(i, [i])]


@given(ids=st.lists(st.integers(0, 99), min_size=1, max_size=200), seed=st.integers(0, 99), many=st.integers(1, 100))
def test_text_and_target_together_are_the_original(ids, seed, many):
    sentinels = SENTINELS[:many]
    corrupted, target = corrupt(ids, sentinels, generator=torch.Generator().manual_seed(seed))
    assert restore(corrupted, target, sentinels) == ids
    used = [token for token in target if token in sentinels]
    assert used == [token for token in corrupted if token in sentinels] == sentinels[: len(used)]
    noise = len(target) - len(used)
    assert noise == max(1, round(0.15 * len(ids)))
    assert len(used) == min(max(1, round(noise / 3)), many)


def test_every_token_of_a_sentence_can_be_hidden():
    hidden = [corrupt(range(10), SENTINELS, generator=torch.Generator().manual_seed(i))[1][1:] for i in range(99)]
    assert {token for span in hidden for token in span} == set(range(10))
    assert {len(span) for span in hidden} == {2}


def test_seeds_decide():
    ids = list(range(60))

    def draw(seed: int) -> tuple[list[int], list[int]]:
        return corrupt(ids, SENTINELS, generator=torch.Generator().manual_seed(seed))

    assert draw(1) == draw(1) != draw(2)
    with pytest.raises(ValueError, match="ordinary tokens"):
        corrupt([], SENTINELS)


def test_sentinels_are_found_with_and_without_a_word_boundary():
    for boundary in ("", "▁"):
        assert find_sentinels(vocabularies.span(5, boundary)) == [3, 4, 5, 6, 7]
    with pytest.raises(ValueError, match="<extra_id_0>"):
        find_sentinels(vocabularies.masked())


def test_sentinels_of_byt5_are_those_that_it_was_trained_with():
    tokenizer = ByT5Tokenizer()
    sentinels = find_sentinels(tokenizer)
    assert sentinels == list(range(258, 247, -1))
    assert [tokenizer.convert_ids_to_tokens(i) for i in (258, 248)] == ["\xff", "\xf5"]  # and no byte of any text
    highest = tokenizer("".join(map(chr, (0x7FF, 0xD7FF, 0xFFFF, 0x10FFFF))), add_special_tokens=False)["input_ids"]
    assert max(highest) < min(sentinels)
    text = tokenizer("кот и кит " * 30)["input_ids"]
    batch = SpanCorruption(tokenizer, seed=0)([{"input_ids": text}])
    marks = [i for i in batch["labels"][0].tolist() if i >= 248]
    assert marks == [i for i in batch["input_ids"][0].tolist() if i >= 248] == sentinels  # as many spans as there are

"""Span corruption, the objective of T5 and mT5 (Raffel et al. 2020, section 3.1.4)."""

from collections.abc import Sequence
from itertools import count, pairwise, takewhile

import torch
from torch import Generator
from transformers import PreTrainedTokenizerBase

TRAINED_SENTINELS = {"ByT5Tokenizer": tuple(byte + 3 for byte in range(0xFF, 0xF4, -1))}
"""Sentinels by the class of tokenizers that name others than their checkpoints were trained with.

ByT5 has no tokens of its own for them: it was trained with the last byte ids, downwards from 258, the byte 0xFF (Xue et
al. 2022, section 3.1; Hugging Face's documentation, model_doc/byt5). The names <extra_id_0> and on, ids from 259, are
Hugging Face's, of rows that nobody trained. Only 0xFF down to 0xF5 are taken, bytes that no UTF-8 text has: one that
also occurs in a text would mark no span.
"""


def corrupt(
    ids: Sequence[int],
    sentinels: Sequence[int],
    *,
    density: float = 0.15,
    span: float = 3.0,
    generator: Generator | None = None,
) -> tuple[list[int], list[int]]:
    """Replace random spans of a text by sentinels, and list each sentinel with what it replaced.

    Spans do not touch and may lie anywhere. T5's own code lets every text end with one, which does not matter in its
    packed inputs of 512 tokens, but would always hide the end, and nothing else, of a text of one sentence.

    Args:
        ids: ordinary tokens of a text (T), at least one.
        sentinels: ids that stand for the first span, the second, and so on; they limit the number of spans.
        density: share of the tokens inside spans.
        span: mean length of a span.
        generator: of the randomness; None for torch's global one.

    Returns:
        The corrupted text and the target, both without an end token.

    Raises:
        ValueError: if the text has no token.
    """
    if not ids:
        raise ValueError("Expected a text with ordinary tokens to corrupt, but got none; remove this text")
    noise = max(1, round(density * len(ids)))
    kept = len(ids) - noise
    spans = min(max(1, round(noise / span)), kept + 1, len(sentinels))
    inside = _split(noise, spans, generator)
    # at least one token between spans, perhaps none before the first and after the last
    first, *between = _split(kept + 2, spans + 1, generator)[:-1]
    corrupted: list[int] = []
    target: list[int] = []
    start = 0
    for sentinel, skip, length in zip(sentinels[:spans], [first - 1, *between], inside, strict=True):
        corrupted += [*ids[start : start + skip], sentinel]
        target += [sentinel, *ids[start + skip : start + skip + length]]
        start += skip + length
    return corrupted + list(ids[start:]), target


def find_sentinels(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Return the ids of the sentinels that the model was trained with, in order.

    They are the `TRAINED_SENTINELS` of the tokenizer's class, or else <extra_id_0>, <extra_id_1>, and so on; mT5's
    vocabulary writes them with a word boundary.

    Raises:
        ValueError: if there is none.
    """
    if trained := TRAINED_SENTINELS.get(type(tokenizer).__name__):
        return list(trained)
    vocabulary = tokenizer.get_vocab()
    for boundary in ("", "▁"):
        names = (f"{boundary}<extra_id_{i}>" for i in count())
        if sentinels := [vocabulary[name] for name in takewhile(vocabulary.__contains__, names)]:
            return sentinels
    raise ValueError(
        "Expected a tokenizer with sentinels <extra_id_0>, ... for span corruption, but it has none; add them"
    )


def _split(total: int, parts: int, generator: Generator | None) -> list[int]:
    """Split a total into random parts, each at least 1."""
    cuts = torch.randperm(total - 1, generator=generator)[: parts - 1].sort().values + 1
    edges = [0, *cuts.tolist(), total]
    return [end - start for start, end in pairwise(edges)]

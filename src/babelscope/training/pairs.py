"""Batches of translation pairs, drawn by how much each language is seen."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from torch.utils.data import Dataset

from babelscope.data.corpora import Corpus


class TranslationPairs(Dataset[tuple[list[list[int]], list[list[int]]]]):
    """Item `step` is a batch: the token ids of `count` sentences in one language each, and in another.

    Args:
        corpus: Parallel sentences.
        tokenizer: Turns them into ids, once.
        weights: How often a language is drawn, relative to others.
        count: Pairs per batch.
        steps: Number of batches.
        seed: With the step, of the draw: a batch depends on nothing that came before it.
        max_length: Tokens per sentence at most.
    """

    def __init__(
        self,
        corpus: Corpus,
        tokenizer: Any,
        weights: Mapping[str, float],
        *,
        count: int,
        steps: int,
        seed: int = 0,
        max_length: int = 128,
    ):
        if len(corpus.languages) < 2:
            raise ValueError(
                f"Expected a corpus of at least 2 languages to draw translations from, but got {corpus.languages}; "
                "add languages."
            )
        self.ids = {
            language: tokenizer(list(texts), truncation=True, max_length=max_length)["input_ids"]
            for language, texts in corpus.texts.items()
        }
        self.languages = corpus.languages
        chance = np.array([weights[language] for language in self.languages], dtype=float)
        self.chance = chance / chance.sum()
        self.count, self.steps, self.seed, self.sentences = count, steps, seed, len(corpus.ids)

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, step: int) -> tuple[list[list[int]], list[list[int]]]:
        """Draw the batch of a step."""
        rng = np.random.default_rng([self.seed, step])
        # distinct sentences, or a translation would be counted among the negatives
        sentences = rng.permutation(self.sentences)[: self.count]
        drawn = [rng.choice(len(self.languages), size=2, replace=False, p=self.chance) for _ in sentences]
        a, b = (
            [self.ids[self.languages[pair[side]]][sentence] for sentence, pair in zip(sentences, drawn, strict=True)]
            for side in (0, 1)
        )
        return a, b

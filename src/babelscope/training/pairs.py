"""Batches of translation pairs, drawn by how much each language is seen."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch.utils.data import Dataset

from babelscope.data.corpora import Corpus
from babelscope.data.source_language import source_language


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
        pivot: Language of the first sentence of every pair; None draws both.
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
        pivot: str | None = None,
    ):
        if len(corpus.languages) < 2:
            raise ValueError(
                f"Expected a corpus of at least 2 languages to draw translations from, but got {corpus.languages}; "
                "add languages."
            )
        if pivot is not None and pivot not in corpus.languages:
            raise ValueError(
                f"Expected the pivot of translation pairs to be among the languages, but got {pivot!r} with "
                f"{', '.join(corpus.languages)}; add it to them, or pair any two."
            )
        self.ids = {}
        for language, texts in corpus.texts.items():
            with source_language(tokenizer, language):
                self.ids[language] = tokenizer(list(texts), truncation=True, max_length=max_length)["input_ids"]
        self.languages = corpus.languages
        self.pivot = None if pivot is None else self.languages.index(pivot)
        chance = np.array([weights[language] for language in self.languages], dtype=float)
        if self.pivot is not None:
            chance[self.pivot] = 0.0
        self.chance = chance / chance.sum()
        self.count, self.steps, self.seed, self.sentences = count, steps, seed, len(corpus.ids)

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, step: int) -> tuple[list[list[int]], list[list[int]]]:
        """Draw the batch of a step."""
        return self.draw(step)

    def draw(self, *step: int) -> tuple[list[list[int]], list[list[int]]]:
        """Draw the batch of a step that several numbers name, as epoch, batch and process do."""
        rng = np.random.default_rng([self.seed, *step])
        # distinct sentences, or a translation would be counted among the negatives
        sentences = rng.permutation(self.sentences)[: self.count]
        drawn = [self._languages(rng) for _ in sentences]
        a, b = (
            [self.ids[self.languages[pair[side]]][sentence] for sentence, pair in zip(sentences, drawn, strict=True)]
            for side in (0, 1)
        )
        return a, b

    def _languages(self, rng: np.random.Generator) -> Sequence[int]:
        if self.pivot is None:
            return rng.choice(len(self.languages), size=2, replace=False, p=self.chance)  # type: ignore[return-value]
        return self.pivot, int(rng.choice(len(self.languages), p=self.chance))

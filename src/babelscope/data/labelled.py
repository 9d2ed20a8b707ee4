"""Labelled texts, or pairs of texts, in languages that need not be translations of each other."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields

import torch


@dataclass(frozen=True)
class Examples:
    """The examples of one language.

    Attributes:
        ids: one unique id per example (N).
        texts: one text each (N).
        seconds: the second text of each, where they are pairs (N).
        labels: one label each (N), or None where there are none.
        words: the words of each text (N), where words are tagged.
        tags: a tag for every word of each text (N), or None where there are none.
    """

    ids: tuple[str, ...]
    texts: tuple[str, ...]
    seconds: tuple[str, ...] | None = None
    labels: tuple[str, ...] | None = None
    words: tuple[tuple[str, ...], ...] | None = None
    tags: tuple[tuple[str, ...], ...] | None = None

    def take(self, positions: range | list[int]) -> "Examples":
        """Keep the examples at these positions, in this order."""
        columns = {field.name: getattr(self, field.name) for field in fields(self)}
        kept = {name: column and tuple(column[i] for i in positions) for name, column in columns.items()}
        return Examples(**kept)


def shuffled(size: int, seed: int) -> list[int]:
    """Return the positions 0 to size - 1 in random order: what is drawn first is the same however many are drawn."""
    order: list[int] = torch.randperm(size, generator=torch.Generator().manual_seed(seed)).tolist()
    return order


def draw(n: int, size: int, seed: int, *, place: str) -> list[int]:
    """Draw at most n of `size` positions at random, in ascending order.

    Raises:
        ValueError: if n is not positive, naming the place.
    """
    if n < 1:
        raise ValueError(
            f"Expected to keep at least 1 sentence of {place!r}, but got {n}; ask for more, or null for all"
        )
    return sorted(shuffled(size, seed)[:n])


@dataclass(frozen=True)
class LabelledCorpus:
    """Examples by language, which need not be translations of each other.

    Attributes:
        name: name of the corpus in errors.
        by_language: the examples by FLORES code.
    """

    name: str
    by_language: Mapping[str, Examples]

    @property
    def texts(self) -> dict[str, tuple[str, ...]]:
        """All texts of a language, the second ones of pairs as well."""
        return {code: (*found.texts, *(found.seconds or ())) for code, found in self.by_language.items()}

    def examples(self, language: str) -> Examples:
        """Return the examples of one language.

        Raises:
            ValueError: if the corpus lacks the language.
        """
        if language not in self.by_language:
            have = ", ".join(self.by_language)
            raise ValueError(f"Expected a language of {self.name!r}, but got {language!r}; it has {have}")
        return self.by_language[language]

    def __len__(self) -> int:
        return max(len(found.ids) for found in self.by_language.values())

    def subset(self, n: int | None, seed: int = 0) -> "LabelledCorpus":
        """Keep at most n random examples of each language, in their original order; None keeps all.

        Raises:
            ValueError: if n is not positive.
        """
        if n is None:
            return self
        kept = {
            code: found.take(draw(n, len(found.ids), seed, place=self.name)) for code, found in self.by_language.items()
        }
        return LabelledCorpus(self.name, kept)

    def fingerprint(self) -> str:
        """Return a sha256 over languages, ids, texts, and labels or tagged words."""
        rows = {
            code: [
                found.ids,
                found.texts,
                found.seconds,
                found.labels,
                *([found.words, found.tags] if found.tags else []),
            ]
            for code, found in self.by_language.items()
        }
        return hashlib.sha256(json.dumps(rows).encode()).hexdigest()

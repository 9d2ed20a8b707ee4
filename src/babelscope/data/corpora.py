"""Parallel text: the same sentences in many languages."""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from babelscope.data.labelled import Examples, draw


@dataclass(frozen=True)
class Corpus:
    """Aligned sentences: ``texts[language][i]`` is sentence ``ids[i]`` in that language.

    Attributes:
        name: name of the corpus in rows and report.
        ids: one unique id per sentence (S).
        texts: by FLORES code (K), the S sentences of a language.
        labels: one label per sentence, or None if the corpus has none.

    Raises:
        ValueError: if a language lacks a sentence, a sentence is empty, an id occurs twice, or one is not a string.
    """

    name: str
    ids: tuple[str, ...]
    texts: Mapping[str, tuple[str, ...]]
    labels: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if not self.texts:
            raise ValueError(f"Expected corpus {self.name!r} to have at least one language, but got none; name some")
        if not self.ids:
            raise ValueError(f"Expected corpus {self.name!r} to have sentences, but got none; check the split's files")
        for what, values in (("ids", self.ids), *((f"texts of {language}", x) for language, x in self.texts.items())):
            odd = [values] if isinstance(values, str) else [x for x in values if not isinstance(x, str)]
            if odd:
                raise ValueError(
                    f"Expected the {what} of corpus {self.name!r} to be several strings, but got {odd[0]!r}; write "
                    "tuple(map(str, ...)) for ids, and one string for every sentence"
                )
        twice = [key for key, times in Counter(self.ids).items() if times > 1]
        if twice:
            raise ValueError(f"Expected unique ids in corpus {self.name!r}, but got {twice[0]!r} more than once")
        for language, texts in self.texts.items():
            if len(texts) != len(self.ids):
                raise ValueError(
                    f"Expected {len(self.ids)} sentences in every language of corpus {self.name!r}, "
                    f"but got {len(texts)} in {language}; align the files"
                )
            for key, text in zip(self.ids, texts, strict=True):
                if not text.strip():
                    raise ValueError(
                        f"Expected no empty sentence in corpus {self.name!r}, but sentence {key!r} in {language} is; "
                        f"remove it from every language"
                    )
        if self.labels is not None and len(self.labels) != len(self.ids):
            raise ValueError(
                f"Expected one label per sentence in corpus {self.name!r}, "
                f"but got {len(self.labels)} labels for {len(self.ids)} sentences"
            )

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def languages(self) -> tuple[str, ...]:
        """The FLORES codes, in the order they were asked for."""
        return tuple(self.texts)

    def subset(self, n: int | None, seed: int = 0) -> "Corpus":
        """Keep at most n random sentences, the same in every language, in their original order.

        Args:
            n: how many sentences; None keeps all.
            seed: seed of the choice; it always chooses the same sentences from the same number of them.

        Raises:
            ValueError: if n is not positive.
        """
        return self if n is None else self.take(draw(n, len(self), seed, place=self.name))

    def take(self, positions: Sequence[int]) -> "Corpus":
        """Keep the sentences at these positions, in this order."""
        return Corpus(
            name=self.name,
            ids=tuple(self.ids[i] for i in positions),
            texts={language: tuple(texts[i] for i in positions) for language, texts in self.texts.items()},
            labels=None if self.labels is None else tuple(self.labels[i] for i in positions),
        )

    def select(self, languages: Sequence[str]) -> "Corpus":
        """Keep these languages, in this order.

        Raises:
            ValueError: if the corpus lacks one of them.
        """
        missing = [language for language in languages if language not in self.texts]
        if missing:
            raise ValueError(
                f"Expected languages of corpus {self.name!r}, but got {missing[0]!r}; it has {', '.join(self.texts)}"
            )
        return Corpus(self.name, self.ids, {language: self.texts[language] for language in languages}, self.labels)

    def examples(self, language: str) -> Examples:
        """Return the sentences of one language, with their labels.

        Raises:
            ValueError: if the corpus lacks the language.
        """
        return Examples(self.ids, self.select([language]).texts[language], labels=self.labels)

    def fingerprint(self) -> str:
        """Return a sha256 over ids, languages and texts, which identifies the content wherever it was read from."""
        digest = hashlib.sha256()
        for part in (self.ids, *(pair for item in self.texts.items() for pair in ((item[0],), item[1]))):
            digest.update(f"{len(part)}\n".encode())
            for text in part:
                raw = text.encode()
                digest.update(f"{len(raw)}:".encode() + raw)
        return digest.hexdigest()


def read(
    corpus: Callable[..., Corpus], languages: Sequence[str], split: str, *, sentences: int | None = None, seed: int = 0
) -> Corpus:
    """Read a split and keep at most `sentences` of it; configurations use this to define a further corpus.

    Args:
        corpus: a loader, such as `sib200`, with its folder.
        languages: codes that the loader knows.
        split: a split name of the loader.
        sentences: how many at most, the same in every language; None keeps all.
        seed: seed of the choice.

    Raises:
        ValueError: if the loader's text is not parallel, or it lacks a language or the split.
    """
    found = corpus(list(languages), split=split)
    if not isinstance(found, Corpus):
        raise ValueError(
            f"Expected parallel text, but {found.name} has examples of each language's own; give the text of the "
            "probes, by task.parallel='${corpus}', or other parallel text"
        )
    return found.subset(sentences, seed=seed)

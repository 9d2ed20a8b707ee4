"""The lab's corpora: one sequence of meanings, cut into splits."""

from collections.abc import Sequence

from babelscope.data.corpora import Corpus
from babelscope.data.lab.grammar import SETTINGS, begin, meanings, render, words_of
from babelscope.data.lab.lexicon import LANGUAGES
from babelscope.data.labelled import Examples, LabelledCorpus
from babelscope.data.reading import check_languages
from babelscope.data.splits import parse_split

DEV = range(100)
TEST = range(100, 300)


def lab(languages: Sequence[str], split: str, *, train: int = 700, seed: int = 0) -> Corpus:
    """Make the lab's parallel corpus, with seven topics as labels.

    Args:
        languages: codes among `LANGUAGES`.
        split: train, dev (100 sentences), test (200), a union such as dev+test, or all.
        train: number of sentences of the training split; dev and test do not depend on it.
        seed: of the meanings.

    Raises:
        ValueError: if a language or split is unknown, or `train` is impossible.
    """
    return _make("lab", languages, _positions(split, train), seed)


def lab_tagged(languages: Sequence[str], split: str, *, train: int = 700, seed: int = 0) -> LabelledCorpus:
    """Make the same sentences as words, each tagged with what it says: agent, verb, object, adjective, place or time.

    Args:
        languages: codes among `LANGUAGES`.
        split: as of `lab`.
        train: number of sentences of the training split.
        seed: of the meanings.

    Raises:
        ValueError: if a language or split is unknown, or `train` is impossible.
    """
    check_languages(languages, LANGUAGES, place="the lab")
    positions = _positions(split, train)
    sequence = meanings(max(positions) + 1, seed=seed)
    found = {}
    for language in languages:
        pairs = [words_of(sequence[i], language) for i in positions]
        words = [(begin(own[0][1]), *(word for _, word in own[1:])) for own in pairs]
        found[language] = Examples(
            ids=tuple(map(_name, positions)),
            # as they are measured elsewhere, so that what is trained on is known again
            texts=tuple(render(sequence[i], language) for i in positions),
            words=tuple(words),
            tags=tuple(tuple(slot for slot, _ in own) for own in pairs),
        )
    return LabelledCorpus("lab", found)


def lab_text(languages: Sequence[str], split: str = "train", *, sentences: int = 4000, seed: int = 0) -> Corpus:
    """Make text for pre-training: a longer training split of the same lab, so no sentence of its dev or test.

    Args:
        languages: codes among `LANGUAGES`.
        split: train; there is no other.
        sentences: how many.
        seed: of the meanings; the same as the lab's, or pre-training may meet what is tested.

    Raises:
        ValueError: if a language is unknown, or `split` or `sentences` is impossible.
    """
    if split != "train":
        raise ValueError(
            f"Expected `split` of corpus lab_text to be train, but got {split!r}; take corpus=lab to measure or test"
        )
    if sentences < 1:
        raise ValueError(f"Expected `sentences` of corpus lab_text to be at least 1, but got {sentences}; ask for more")
    return _make("lab_text", languages, range(TEST.stop, TEST.stop + sentences), seed)


def tiers() -> dict[str, float]:
    """Return how often pre-training sees each language: 1 for high resources, less for middle and low ones."""
    return {language: float(setting["weight"]) for language, setting in SETTINGS.items()}


def _positions(split: str, train: int) -> list[int]:
    """Find the meanings of a split."""
    if train < 1:
        raise ValueError(f"Expected `train` of corpus lab to be at least 1, but got {train}; ask for more sentences")
    splits = {"train": range(TEST.stop, TEST.stop + train), "dev": DEV, "test": TEST}
    return [i for part in parse_split(split, splits, corpus="lab") for i in splits[part]]


def _name(position: int) -> str:
    return f"lab-{position:06d}"


def _make(name: str, languages: Sequence[str], positions: Sequence[int], seed: int) -> Corpus:
    check_languages(languages, LANGUAGES, place="the lab")
    sequence = meanings(max(positions) + 1, seed=seed)
    chosen = [sequence[i] for i in positions]
    return Corpus(
        name=name,
        ids=tuple(map(_name, positions)),
        texts={language: tuple(render(meaning, language) for meaning in chosen) for language in languages},
        labels=tuple(meaning.topic for meaning in chosen),
    )

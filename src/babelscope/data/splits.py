"""Splits of a corpus: their names, and the parts of one that was published whole."""

import re
from collections.abc import Collection, Mapping, Sequence

from babelscope.data.corpora import Corpus

SPLITS = ("train", "dev", "test")


def parse_split(
    split: str, known: Collection[str], *, corpus: str, aliases: Mapping[str, str] | None = None
) -> list[str]:
    """Turn "dev", a union such as "dev+test", or "all" into a list of a corpus's own splits.

    Raises:
        ValueError: if a part is unknown or occurs twice.
    """
    if split == "all":
        return list(known)
    parts = [(aliases or {}).get(part, part) for part in re.split(r"\s*\+\s*", split.strip())]
    for i, part in enumerate(parts):
        if part not in known or part in parts[:i]:
            raise ValueError(
                f"Expected `split` of corpus {corpus} to be one of {', '.join(known)}, a union such as "
                f"{'+'.join(list(known)[-2:])}, or all, but got {split!r}"
            )
    return parts


def bounds(size: int) -> dict[str, range]:
    """Cut a sequence into `SPLITS`: the first 70, the next 10 and the last 20 per cent."""
    train, dev = 7 * size // 10, 8 * size // 10
    return {"train": range(train), "dev": range(train, dev), "test": range(dev, size)}


def cut(corpus: Corpus, splits: Sequence[str]) -> Corpus:
    """Take some of `SPLITS`, by the order of sentences."""
    parts = bounds(len(corpus))
    return corpus.take([i for part in splits for i in parts[part]])

"""Splits of a corpus: their names, and the parts of one that was published whole."""

import re
from collections.abc import Collection, Mapping, Sequence

from babelscope.data.corpora import Corpus

PARTS = ("train", "dev", "test")


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


def cut(corpus: Corpus, splits: Sequence[str]) -> Corpus:
    """Take some of `PARTS`: the first 70, the next 10 and the last 20 per cent of the sentences, in their order."""
    ends = {"train": 7 * len(corpus) // 10, "dev": 8 * len(corpus) // 10, "test": len(corpus)}
    starts = {"train": 0, "dev": ends["train"], "test": ends["dev"]}
    return corpus.take([i for part in splits for i in range(starts[part], ends[part])])

"""How often each token occurs: in text, or as a file says."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from babelscope.data.reading import read_lines

BATCH = 1000


def count_tokens(texts: Sequence[str], tokenizer: Any, size: int) -> list[int]:
    """Count every token of a vocabulary of `size` in texts; special tokens that a tokenizer adds do not count."""
    counts: Counter[int] = Counter()
    for start in range(0, len(texts), BATCH):
        part = list(texts[start : start + BATCH])
        for ids in tokenizer(part, add_special_tokens=False, verbose=False)["input_ids"]:
            counts.update(ids)
    return [counts[token] for token in range(size)]


def read_counts(path: str | Path, size: int) -> list[int]:
    """Read the frequency of every token from lines of id TAB count; tokens without a line have none.

    Raises:
        ValueError: if a line is not one, or an id is not of the vocabulary.
    """
    counts = [0] * size
    for number, line in enumerate(read_lines(Path(path).expanduser()), start=1):
        token, _, count = line.partition("\t")
        if not (token.isdecimal() and count.strip().isdecimal() and int(token) < size):
            raise ValueError(
                f"Expected a token id below {size}, a tab and a count, but got {line[:60]!r} in {path}, line {number}; "
                "correct `counts`."
            )
        counts[int(token)] = int(count)
    return counts

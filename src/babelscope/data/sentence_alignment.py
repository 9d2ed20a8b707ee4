"""Sentence alignment: read the sentences of one language and split with their ids, and join languages by id."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from babelscope.data.corpora import Corpus
from babelscope.data.reading import read_lines, read_sentences

COLUMNS = ("index_id", "category", "text")
# a cell counts as CSV-quoted if it is in quotes and contains a doubled quote, the reason to quote it
QUOTED = re.compile(r'"(?:[^"]|"")*""(?:[^"]|"")*"')


@dataclass(frozen=True)
class SplitSentences:
    """The sentences of one language and split, in the order of the file.

    Attributes:
        place: the file, for errors.
        ids, texts, labels: one of each per sentence (S); labels may be None.
        numbers: row number of each sentence in the file (S), for errors; None if sentence i is row i + 1.
    """

    place: str
    ids: tuple[str, ...]
    texts: tuple[str, ...]
    labels: tuple[str, ...] | None = None
    numbers: Sequence[int] | None = None

    def row(self, i: int) -> int:
        """Return the row number of sentence i in the file."""
        return i + 1 if self.numbers is None else self.numbers[i]


def sentences_of_lines(path: Path) -> SplitSentences:
    """Read one sentence per line; its id is the line number."""
    texts = read_sentences(path)
    return SplitSentences(str(path), tuple(str(i) for i in range(1, len(texts) + 1)), tuple(texts))


def sentences_of_columns(path: Path) -> SplitSentences:
    """Read tab-separated columns index_id, category and text, whether cells are quoted as in CSV or plain text.

    Raises:
        ValueError: if the header or a line does not have these columns, or an id is repeated.
    """
    lines = read_lines(path)
    header = tuple(lines[0].split("\t")) if lines else ()
    if header != COLUMNS:
        raise ValueError(f"Expected the header {' '.join(COLUMNS)} in {path}, line 1, but got {' '.join(header)!r}")
    rows = []
    for number, line in enumerate(lines[1:], start=2):
        cells = line.split("\t")
        if len(cells) != len(COLUMNS):
            raise ValueError(
                f"Expected {len(COLUMNS)} cells separated by tabs, but got {len(cells)} in {path}, line {number}"
            )
        rows.append(dict(zip(COLUMNS, map(unquote, cells), strict=True)))
    return sentences_of_rows(rows, str(path), numbers=range(2, len(rows) + 2))


def sentences_of_rows(
    rows: Sequence[Mapping[str, Any]],
    place: str,
    *,
    key: str | None = "index_id",
    text: str = "text",
    label: str | None = "category",
    numbers: Sequence[int] | None = None,
) -> SplitSentences:
    """Turn rows with a text, and optionally an id and a label, into sentences; without ids, row numbers are the ids.

    Args:
        rows: rows of one language (S).
        place: the file, for errors.
        key: the column of ids, or None.
        text: the column of sentences.
        label: the column of labels, or None.
        numbers: row number of each row in the file (S); None counts them from 1.

    Raises:
        ValueError: if a column is missing, a cell is empty or not text, or an id is repeated.
    """
    columns = [column for column in (key, text, label) if column is not None]
    seen = set()
    counted = range(1, len(rows) + 1)
    for number, row in zip(counted if numbers is None else numbers, rows, strict=True):
        missing = [column for column in columns if column not in row]
        if missing:
            raise ValueError(
                f"Expected the column {missing[0]!r} in {place}, but it has {', '.join(row)}; choose one of these"
            )
        empty = [column for column in columns if _is_empty(row[column])]
        if empty:
            raise ValueError(
                f"Expected no empty cell, but {empty[0]!r} of {place}, row {number} is; "
                f"fill it, or remove this row, from every language of parallel text"
            )
        if not isinstance(row[text], str):
            raise ValueError(
                f"Expected text in {place}, row {number}, but {text!r} is {row[text]!r}; give the column of sentences"
            )
        if key is not None and str(row[key]) in seen:
            raise ValueError(f"Expected unique values of {key}, but got {row[key]!r} again in {place}, row {number}")
        seen.add(None if key is None else str(row[key]))
    ids = tuple(map(str, counted)) if key is None else tuple(str(row[key]) for row in rows)
    labels = None if label is None else tuple(str(row[label]) for row in rows)
    return SplitSentences(place, ids, tuple(row[text] for row in rows), labels, numbers)


def _is_empty(cell: Any) -> bool:
    # some writers store missing values as NaN, the only value that is not equal to itself
    return cell is None or cell != cell or not str(cell).strip()  # noqa: PLR0124


def align(
    name: str, languages: Sequence[str], splits: Sequence[str], read: Callable[[str, str], SplitSentences]
) -> Corpus:
    """Join all languages and splits by sentence id; the first language gives the order.

    Args:
        name: name of the corpus.
        languages: FLORES codes.
        splits: split names; an id of the corpus is "SPLIT-ID".
        read: returns the sentences of a language and a split.

    Raises:
        ValueError: if languages differ in number of sentences, ids or labels.
    """
    ids: list[str] = []
    labels: list[str] = []
    texts: dict[str, list[str]] = {language: [] for language in languages}
    for split in splits:
        first = read(languages[0], split)
        ids += [f"{split}-{key}" for key in first.ids]
        labels += first.labels or ()
        texts[languages[0]] += first.texts
        for language in languages[1:]:
            texts[language] += _reordered(read(language, split), first)
    return Corpus(
        name=name,
        ids=tuple(ids),
        texts={language: tuple(sentences) for language, sentences in texts.items()},
        labels=tuple(labels) if labels else None,
    )


def _reordered(own: SplitSentences, first: SplitSentences) -> list[str]:
    """Return the texts of a language in the order of the first one, after checking that both agree."""
    if len(own.ids) != len(first.ids):
        raise ValueError(
            f"Expected the same sentences in every language, but {own.place} has {len(own.ids)} "
            f"and {first.place} has {len(first.ids)}; align the files"
        )
    row = {key: i for i, key in enumerate(own.ids)}
    for i, key in enumerate(first.ids):
        if key not in row:
            raise ValueError(
                f"Expected the same ids in every language, but {own.place} lacks {key!r} "
                f"of {first.place}, row {first.row(i)}; align the files"
            )
        if own.labels and first.labels and own.labels[row[key]] != first.labels[i]:
            raise ValueError(
                f"Expected the same labels in every language, but {own.place}, row {own.row(row[key])} "
                f"has {own.labels[row[key]]!r} and {first.place}, row {first.row(i)} has {first.labels[i]!r}"
            )
    return [own.texts[row[key]] for key in first.ids]


def unquote(cell: str) -> str:
    """Undo CSV quoting of a cell between tabs; any other quote is text.

    A CSV writer quotes a cell because it contains a quote, which it then doubles; so ``"One."`` is a text in quotation
    marks.
    """
    return cell[1:-1].replace('""', '"') if QUOTED.fullmatch(cell) else cell

"""Parallel text from one table: with a column per language, or with a row per sentence and language."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from babelscope.data.corpora import Corpus
from babelscope.data.names import find_names
from babelscope.data.sentence_alignment import align, sentences_of_rows
from babelscope.data.split_files import aliases_of, files_of_splits
from babelscope.data.splits import SPLITS, cut, parse_split
from babelscope.data.table_files import Row, read_rows

HEADER = {".csv": 2, ".tsv": 2}
"""Number of the first row after the header, by file ending; 1 for formats without a header."""
Numbered = tuple[int, Row]
"""The number of a row in its file, a header counted, and the row."""
Sentences = tuple[Sequence[Numbered], str, str]
"""The rows of a language, their place for errors, and the column of their sentences."""


def table(
    languages: Sequence[str],
    split: str,
    *,
    file: str | Path | None = None,
    codes: Mapping[str, str] | None = None,
    language: str | None = None,
    text: str = "text",
    ids: str | None = None,
    labels: str | None = None,
    name: str = "table",
) -> Corpus:
    """Read aligned sentences from a table; `table_files.READERS` has the formats.

    Args:
        languages: FLORES codes.
        split: train, dev and test are the first 70, the next 10 and the last 20 per cent, or, with {split} in `file`,
            files of their own; a union of them, or all.
        file: the table, or a folder that `datasets` saved; {split} is replaced by the name of a split, as in
            "data/{split}.parquet".
        codes: names by FLORES code of columns or in cells of `language`, where `find_names` does not find them.
        language: the column of languages, in tables with a row per sentence and language; None if every language has
            a column.
        text: the column of sentences in such a table.
        ids: the column of sentence ids; None aligns by order.
        labels: the column of labels.
        name: name of the corpus in rows and report.

    Raises:
        ValueError: if a language, split or column is unknown, a sentence is empty, or languages differ in sentences.
        FileNotFoundError: if there is no such file.
    """
    if file is None:
        raise ValueError("Expected `corpus.file` to be a table of parallel text, but got None; set it")
    pattern = Path(file).expanduser()
    apart = "{split}" in str(pattern)
    files = files_of_splits(pattern) if apart else dict.fromkeys(SPLITS, pattern)
    splits = parse_split(split, files, corpus=name, aliases=aliases_of(files))
    tables = {}
    for part in splits if apart else ("row",):
        place = files.get(part, pattern)
        rows = numbered_rows(place)
        if language is None:
            found = _columns(rows, place, languages, codes)
        else:
            found = own_rows(_in_one_order(rows, ids), place, languages, codes, language=language, text=text)
        tables[part] = {
            code: sentences_of_rows(
                [row for _, row in own],
                where,
                key=ids,
                text=column,
                label=labels,
                numbers=[number for number, _ in own],
            )
            for code, (own, where, column) in found.items()
        }
    corpus = align(name, languages, tuple(tables), lambda code, part: tables[part][code])
    return corpus if apart else cut(corpus, splits)


def numbered_rows(path: Path) -> list[Numbered]:
    """Read a table's rows, each with its number in the file."""
    return list(enumerate(read_rows(path), start=HEADER.get(path.suffix.lower(), 1)))


def _in_one_order(rows: Sequence[Numbered], ids: str | None) -> Sequence[Numbered]:
    """Sort rows by the first occurrence of their id, so that splits do not depend on which language comes first."""
    if ids is None:
        return rows
    first: dict[str, int] = {}
    for number, row in rows:
        first.setdefault(str(row.get(ids)), number)
    return sorted(rows, key=lambda numbered: first[str(numbered[1].get(ids))])


def _columns(
    rows: Sequence[Numbered], place: Path, languages: Sequence[str], codes: Mapping[str, str] | None
) -> dict[str, Sentences]:
    """Find the column of every language."""
    called = find_names(languages, rows[0][1], f"the columns of {place}", codes)
    return {code: (rows, f"{place}, column {column}", column) for code, column in called.items()}


def own_rows(
    rows: Sequence[Numbered],
    place: Path,
    languages: Sequence[str],
    codes: Mapping[str, str] | None,
    *,
    language: str,
    text: str,
    key: str = "corpus",
) -> dict[str, Sentences]:
    """Find the rows of every language."""
    own: dict[str, list[Numbered]] = {}
    for number, row in rows:
        if language not in row:
            have = ", ".join(row)
            raise ValueError(
                f"Expected the column {language!r} in {place}, row {number}, but it has {have}; correct it"
            )
        own.setdefault(str(row[language]), []).append((number, row))
    called = find_names(languages, own, f"column {language} of {place}", codes, key=key)
    return {code: (own[name], f"{place}, rows of {language} {name}", text) for code, name in called.items()}

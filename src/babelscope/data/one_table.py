"""Parallel text from one table: with a column per language, or with a row per sentence and language."""

import re
from collections.abc import Mapping, Sequence
from glob import escape, glob
from pathlib import Path

from babelscope.data.corpora import Corpus
from babelscope.data.names import find_names
from babelscope.data.rows import READERS, Row, read_rows
from babelscope.data.splits import PARTS, cut, parse_split
from babelscope.data.tables import align, table_of_rows

VALIDATION = ("dev", "validation", "valid", "val")
"""Names of one split."""
HEADER = {".csv": 2, ".tsv": 2}
"""Row of the first sentence, where the first one is not 1."""
Numbered = tuple[int, Row]
"""A row, and which of the file it is, a header counted."""
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
    """Read aligned sentences from a table; `rows.READERS` has the formats.

    Args:
        languages: FLORES codes.
        split: train, dev and test are the first 70, the next 10 and the last 20 per cent, or, with {split} in `file`,
            files of their own; a union of them, or all.
        file: the table, or a folder that `datasets` saved; {split} stands for a split, as in "data/{split}.parquet".
        codes: what columns, or cells of `language`, call a FLORES code, where `find_names` does not find it.
        language: the column that says in which language a row is; None if every language has a column.
        text: the column of sentences then.
        ids: the column of sentence ids; None aligns by order.
        labels: the column of labels.
        name: what the rows and the report call the corpus.

    Raises:
        ValueError: if a language, split or column is unknown, a sentence is empty, or languages differ in sentences.
        FileNotFoundError: if there is no such file.
    """
    if file is None:
        raise ValueError("Expected `corpus.file` to be a table of parallel text, but got None; set it")
    pattern = Path(file).expanduser()
    apart = "{split}" in str(pattern)
    files = _files_of_splits(pattern) if apart else dict.fromkeys(PARTS, pattern)
    aliases = {other: part for part in VALIDATION if part in files for other in VALIDATION if other not in files}
    splits = parse_split(split, files, corpus=name, aliases=aliases)
    tables = {}
    for part in splits if apart else ("row",):
        place = files.get(part, pattern)
        rows = list(enumerate(read_rows(place), start=HEADER.get(place.suffix.lower(), 1)))
        if language is None:
            found = _columns(rows, place, languages, codes)
        else:
            found = _own_rows(_in_one_order(rows, ids), place, languages, codes, language=language, text=text)
        tables[part] = {
            code: table_of_rows(
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


def _files_of_splits(pattern: Path) -> dict[str, Path]:
    """Find the files whose names have a split where the pattern has {split}, in the order of training, then by name."""
    whole = re.compile(re.escape(str(pattern)).replace(r"\{split\}", "([^/]+)", 1).replace(r"\{split\}", r"\1"))
    found = {}
    for path in glob(escape(str(pattern)).replace("{split}", "*")):
        match = whole.fullmatch(path)
        if match is not None and Path(path).is_dir() != (pattern.suffix.lower() in READERS):
            found[match[1]] = Path(path)
    if not found:
        raise FileNotFoundError(f"Expected `corpus.file` to name a table for each split, but found none at {pattern}")
    usual = ("train", *VALIDATION, "test")
    return {part: found[part] for part in sorted(found, key=lambda part: ([*usual, part].index(part), part))}


def _in_one_order(rows: Sequence[Numbered], ids: str | None) -> Sequence[Numbered]:
    """Bring every language's rows into the order of ids in the file, or splits would hang on the first language."""
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


def _own_rows(
    rows: Sequence[Numbered],
    place: Path,
    languages: Sequence[str],
    codes: Mapping[str, str] | None,
    *,
    language: str,
    text: str,
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
    called = find_names(languages, own, f"column {language} of {place}", codes)
    return {code: (own[name], f"{place}, rows of {language} {name}", text) for code, name in called.items()}

"""Texts whose words are tagged, such as with parts of speech or names, from files of any common format."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from babelscope.data import conll
from babelscope.data.example_files import read_examples
from babelscope.data.labelled import Examples, LabelledCorpus
from babelscope.data.parallel_table import Numbered, numbered_rows
from babelscope.data.table_files import READERS

WORDS = ("tokens", "words")
TAGS = ("tags", "ner_tags", "upos", "pos_tags", "labels")
"""Usual names of the columns of tables, the first that is there."""
_TABLES = tuple(kind for kind in READERS if kind != ".tsv")


def tagged(
    languages: Sequence[str],
    split: str,
    *,
    file: str | Path | None = None,
    words: str | int | None = None,
    tags: str | int | None = None,
    names: Sequence[str] | None = None,
    codes: Mapping[str, str] | None = None,
    name: str = "task.corpus",
) -> LabelledCorpus:
    """Read tagged words: CoNLL-U, other files of a word per line (`conll`), or tables whose cells are lists.

    Args:
        languages: FLORES codes.
        split: a name that files have in place of {split} in `file`; without {split}, train, dev or test, which are 70,
            10 and 20 per cent of a language's sentences, drawn by their number; a union of them, or all.
        file: a file, or a folder that `datasets` saved; {language} and {split} are replaced by their names in paths,
            and a star by any part of a name, as in "UD/UD_*/{language}-ud-{split}.conllu".
        words: the column of words, by its name or, in files of a word per line, counted from 1; None is the usual one:
            form, the first, or `WORDS`.
        tags: the column of tags; None is the usual one: upos, the last, or `TAGS`.
        names: of tags that are numbers from 0; None takes those that `datasets` saved with them, if it did.
        codes: names by FLORES code in paths, where `find_names` does not find them.
        name: name of the corpus in errors.

    Raises:
        ValueError: if a language, split or column is unknown, or a word has no tag.
        FileNotFoundError: if there is no such file.
    """
    if file is None:
        raise ValueError("Expected `task.corpus.file` to be a file of tagged words, but got None; set it")
    listed = isinstance(names, Sequence) and not isinstance(names, str)
    if names is not None and not (listed and all(isinstance(one, str) and one for one in names)):
        raise ValueError(f"Expected `task.corpus.names` to be a list of names of tags, but got {names!r}; correct it")
    pattern = str(Path(file).expanduser())
    if "{language}" not in pattern and len(languages) > 1:
        raise ValueError(
            f"Expected {{language}} in `task.corpus.file` to read {len(languages)} languages, but got {pattern}; give "
            "one of them, or fewer as task.languages"
        )

    def read(path: Path, inside: Sequence[str]) -> Mapping[str, Examples]:
        table = path.is_dir() or path.suffix.lower() in _TABLES
        found = _read_table(path, words, tags) if table else conll.read_conll(path, words, tags)
        return dict.fromkeys(inside, tagged_examples(_named(found, names, path)))

    return read_examples(languages, split, pattern, read, endings=None, codes=codes, name=name)


def tagged_examples(sentences: Sequence[conll.Sentence]) -> Examples:
    """Number sentences from 1; a text is its words with a blank between them, in every language (Hu et al. 2020)."""
    own, given = tuple(words for words, _ in sentences), tuple(tags for _, tags in sentences)
    ids = tuple(str(i) for i in range(1, len(sentences) + 1))
    return Examples(ids, tuple(" ".join(words) for words in own), words=own, tags=given)


def _named(found: list[conll.Sentence], names: Sequence[str] | None, path: Path) -> list[conll.Sentence]:
    """Give numbered tags their names."""
    if names is None:
        return found
    number = {str(i): name for i, name in enumerate(names)}
    unknown = sorted({tag for _, tags in found for tag in tags} - number.keys())
    if unknown:
        raise ValueError(
            f"Expected tags that are numbers below {len(number)}, as task.corpus.names has names, but got "
            f"{unknown[0]!r} in {path}; correct it, or write null"
        )
    return [(words, tuple(number[tag] for tag in tags)) for words, tags in found]


def _read_table(path: Path, words: str | int | None, tags: str | int | None) -> list[conll.Sentence]:
    if path.suffix.lower() == ".csv" and not path.is_dir():
        raise ValueError(
            f"Expected tagged words in a format with lists (JSON lines, Parquet, or a folder that datasets saved) or "
            f"with a word per line (.conllu, .tsv, .txt), but got {path}; convert it"
        )
    rows = numbered_rows(path)
    first = rows[0][1]
    columns = (_find(words, WORDS, first, path, "words"), _find(tags, TAGS, first, path, "tags"))
    if columns[0] == columns[1]:
        raise ValueError(f"Expected another column of tags than of words, but both are {columns[0]!r}; correct one")
    known = _class_names(path, columns[1])
    return [_sentence(row, columns, path, known) for row in rows]


def _find(given: str | int | None, usual: Sequence[str], row: Mapping[str, Any], path: Path, key: str) -> str:
    name = next((each for each in usual if each in row), None) if given is None else str(given)
    if name is None or name not in row:
        wanted = f"one of {', '.join(usual)}" if given is None else repr(given)
        raise ValueError(
            f"Expected the column of {key} to be {wanted}, but {path} has {', '.join(row)}; set task.corpus.{key}"
        )
    return name


def _sentence(numbered: Numbered, columns: tuple[str, str], path: Path, names: Sequence[str] | None) -> conll.Sentence:
    number, row = numbered
    own, given = (row.get(column) or [] for column in columns)
    lists = all(isinstance(cell, list | tuple) for cell in (own, given))
    words = lists and own and all(isinstance(word, str) and word.strip() for word in own)
    if not words or len(own) != len(given):
        raise ValueError(
            f"Expected lists of words as {columns[0]!r} and of as many tags as {columns[1]!r}, but got {own!r:.60} and "
            f"{given!r:.60} in {path}, row {number}; correct it, or remove this row"
        )
    return tuple(word.strip() for word in own), tuple(_name(tag, names, path, number) for tag in given)


def _name(tag: Any, names: Sequence[str] | None, path: Path, number: int) -> str:
    if isinstance(tag, str) and tag.strip():
        return tag.strip()
    if not isinstance(tag, int) or isinstance(tag, bool) or (names is not None and not 0 <= tag < len(names)):
        among = "" if names is None else f", or numbers below {len(names)}"
        raise ValueError(f"Expected names of tags{among}, but got {tag!r} in {path}, row {number}; correct it")
    return str(tag) if names is None else names[tag]


def _class_names(path: Path, column: str) -> Sequence[str] | None:
    """Read the names that `datasets` saved with numbered tags."""
    import datasets
    from pyarrow import parquet

    if path.is_dir():
        features = datasets.load_from_disk(str(path)).features
    elif path.suffix.lower() == ".parquet":
        features = datasets.Features.from_arrow_schema(parquet.read_schema(path))
    else:
        return None
    feature = features[column]
    return getattr(getattr(feature, "feature", feature), "names", None)

"""Labelled texts, or pairs of texts, from tables of any common format: a user's own task."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from babelscope.data.example_files import read_examples
from babelscope.data.labelled import Examples, LabelledCorpus
from babelscope.data.parallel_table import Numbered, numbered_rows, own_rows
from babelscope.data.sentence_alignment import sentences_of_rows
from babelscope.data.table_files import READERS


def labelled_table(
    languages: Sequence[str],
    split: str,
    *,
    file: str | Path | None = None,
    text: str = "text",
    second: str | None = None,
    label: str = "label",
    language: str | None = None,
    codes: Mapping[str, str] | None = None,
    name: str = "task.corpus",
) -> LabelledCorpus:
    """Read a task's examples, which need not be translations of each other; `table_files.READERS` has the formats.

    Args:
        languages: FLORES codes.
        split: a name that files have in place of {split} in `file`; without {split}, train, dev or test, which are 70,
            10 and 20 per cent of a language's rows, drawn by their number; a union of them, or all.
        file: a table, or a folder that `datasets` saved; {language} and {split} are replaced by their names in paths,
            as in "masakhanews/{language}/{split}.tsv".
        text: the column of texts.
        second: the column of the second text, where examples are pairs.
        label: the column of labels.
        language: the column of languages, where a table holds several.
        codes: names by FLORES code in files or in cells of `language`, where `find_names` does not find them.
        name: name of the corpus in errors.

    Raises:
        ValueError: if a language, split or column is unknown, or a cell is empty.
        FileNotFoundError: if there is no such file.
    """
    if file is None:
        raise ValueError("Expected `task.corpus.file` to be a table of labelled text, but got None; set it")
    pattern = str(Path(file).expanduser())
    if "{language}" not in pattern and language is None and len(languages) > 1:
        raise ValueError(
            f"Expected {{language}} in `task.corpus.file`, or the column of languages as `task.corpus.language`, to "
            f"read {len(languages)} languages, but got {pattern}; give one of them, or fewer as task.languages"
        )

    def read(path: Path, inside: Sequence[str]) -> Mapping[str, Examples]:
        rows = _by_language(path, inside, codes, language=language, text=text)
        return {code: examples_of(own, path, text=text, second=second, label=label) for code, own in rows.items()}

    return read_examples(languages, split, pattern, read, endings=READERS, codes=codes, name=name)


def _by_language(
    path: Path, languages: Sequence[str], codes: Mapping[str, str] | None, *, language: str | None, text: str
) -> Mapping[str, Sequence[Numbered]]:
    """Read a table, and find the rows of every language that it holds."""
    rows = numbered_rows(path)
    if language is None:
        return dict.fromkeys(languages, rows)
    own = own_rows(rows, path, languages, codes, language=language, text=text, key="task.corpus")
    return {code: found for code, (found, _, _) in own.items()}


def examples_of(rows: Sequence[Numbered], place: str | Path, *, text: str, second: str | None, label: str) -> Examples:
    """Take the columns of texts and labels from rows of one language, whose numbers are their ids.

    Raises:
        ValueError: if a column is missing, or a cell is empty.
    """
    numbers, cells = [number for number, _ in rows], [row for _, row in rows]
    found = sentences_of_rows(cells, str(place), key=None, text=text, label=label, numbers=numbers)
    seconds = None
    if second is not None:
        seconds = sentences_of_rows(cells, str(place), key=None, text=second, label=None, numbers=numbers).texts
    return Examples(tuple(map(str, numbers)), found.texts, seconds, found.labels)

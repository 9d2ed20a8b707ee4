"""Labelled texts, or pairs of texts, from tables of any common format: a user's own task."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from babelscope.data.labelled import Examples, LabelledCorpus
from babelscope.data.names import find_names
from babelscope.data.parallel_table import Numbered, numbered_rows, own_rows
from babelscope.data.patterns import names_in
from babelscope.data.sentence_alignment import sentences_of_rows
from babelscope.data.split_files import aliases_of, files_of_splits
from babelscope.data.splits import SPLITS, bounds, parse_split


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
    places = _fill_languages(languages, pattern, codes)
    read: dict[Path, Mapping[str, Sequence[Numbered]]] = {}
    found = {}
    for code in languages:
        place = Path(places[code])
        apart = "{split}" in str(place)
        files = files_of_splits(place) if apart else dict.fromkeys(SPLITS, place)
        splits = parse_split(split, files, corpus=f"{name} ({place})", aliases=aliases_of(files))
        kept = []
        for path in dict.fromkeys(files[part] for part in splits):
            if path not in read:  # one file may hold several languages
                inside = [other for other in languages if places[other] == places[code]]
                read[path] = _by_language(path, inside, codes, language=language, text=text)
            examples = examples_of(read[path][code], path, text=text, second=second, label=label)
            kept.append(examples if apart else _cut(examples, splits))
        found[code] = _join(kept, splits if apart else ["row"])
        if not found[code].ids:
            raise ValueError(
                f"Expected examples of {code} in split {split}, but {place} has too few rows for one; give more, or a "
                "table of its own for each split, with {split} in `task.corpus.file`"
            )
    return LabelledCorpus(name, found)


def _fill_languages(languages: Sequence[str], pattern: str, codes: Mapping[str, str] | None) -> dict[str, str]:
    """Fill {language} in the pattern with each language's name in the files; {split} may remain."""
    if "{language}" not in pattern:
        return dict.fromkeys(languages, pattern)
    known = names_in(pattern, "language", others=("split",))
    if not known:
        raise FileNotFoundError(f"Expected languages at {pattern}, but found none; correct `task.corpus.file`")
    called = find_names(languages, known, pattern, codes, key="task.corpus")
    return {code: pattern.replace("{language}", name) for code, name in called.items()}


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


def _cut(examples: Examples, splits: Sequence[str]) -> Examples:
    """Draw splits at random, because rows of a class are often adjacent; the fixed seed keeps translations together."""
    order = torch.randperm(len(examples.ids), generator=torch.Generator().manual_seed(0)).tolist()
    parts = bounds(len(order))
    return examples.take(sorted(order[i] for part in splits for i in parts[part]))


def _join(parts: Sequence[Examples], names: Sequence[str]) -> Examples:
    """Put several splits one after another."""
    ids = [f"{name}-{key}" for name, part in zip(names, parts, strict=True) for key in part.ids]
    seconds = None if parts[0].seconds is None else tuple(text for part in parts for text in part.seconds or ())
    return Examples(
        tuple(ids),
        tuple(text for part in parts for text in part.texts),
        seconds,
        tuple(name for part in parts for name in part.labels or ()),
    )

"""Examples of a task from a file for every language and split, from one for each of either, or from one for all."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch

from babelscope.data.labelled import Examples, LabelledCorpus
from babelscope.data.names import find_names
from babelscope.data.patterns import names_in, only_path
from babelscope.data.split_files import aliases_of, files_of_splits
from babelscope.data.splits import SPLITS, bounds, parse_split

Read = Callable[[Path, Sequence[str]], Mapping[str, Examples]]
"""Reads a file that holds these languages: the examples of each, whose ids are unique within the file."""


def read_examples(
    languages: Sequence[str],
    split: str,
    pattern: str,
    read: Read,
    *,
    endings: Collection[str] | None,
    codes: Mapping[str, str] | None,
    name: str,
) -> LabelledCorpus:
    """Read the examples of every language in a split.

    Args:
        languages: FLORES codes.
        split: a name that files have in place of {split} in `pattern`; without {split}, train, dev or test, which are
            70, 10 and 20 per cent of a language's examples, drawn by their number; a union of them, or all.
        pattern: a path; {language} and {split} are replaced by their names in paths, and a star stands for any part of
            a name where one path is meant.
        read: reads one file.
        endings: of files; None takes any, and folders.
        codes: names by FLORES code in paths, where `find_names` does not find them.
        name: name of the corpus in errors.

    Raises:
        ValueError: if a language or split is unknown, or a language has no examples.
        FileNotFoundError: if there is no such file.
    """
    places = _fill_languages(languages, pattern, codes)
    seen: dict[Path, Mapping[str, Examples]] = {}
    found = {}
    for code in languages:
        place = Path(places[code])
        apart = "{split}" in str(place)
        files = files_of_splits(place, endings) if apart else dict.fromkeys(SPLITS, place)
        splits = parse_split(split, files, corpus=f"{name} ({place})", aliases=aliases_of(files))
        kept = []
        for path in dict.fromkeys(files[part] for part in splits):
            if path not in seen:  # one file may hold several languages
                seen[path] = read(only_path(path), [other for other in languages if places[other] == places[code]])
            kept.append(seen[path][code] if apart else _cut(seen[path][code], splits))
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


def _cut(examples: Examples, splits: Sequence[str]) -> Examples:
    """Draw splits at random, because rows of a class are often adjacent; the fixed seed keeps translations together."""
    order = torch.randperm(len(examples.ids), generator=torch.Generator().manual_seed(0)).tolist()
    parts = bounds(len(order))
    return examples.take(sorted(order[i] for part in splits for i in parts[part]))


def _join(parts: Sequence[Examples], names: Sequence[str]) -> Examples:
    """Put several splits one after another."""
    columns: dict[str, Any] = {
        field.name: None
        if getattr(parts[0], field.name) is None
        else tuple(cell for part in parts for cell in getattr(part, field.name))
        for field in fields(Examples)
    }
    ids = tuple(f"{name}-{key}" for name, part in zip(names, parts, strict=True) for key in part.ids)
    return Examples(**{**columns, "ids": ids})

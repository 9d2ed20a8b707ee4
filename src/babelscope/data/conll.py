"""Files of a word per line and a blank line after each sentence: CoNLL-U of Universal Dependencies, and their kin."""

import re
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from babelscope.data.reading import read_lines

COLUMNS = ("id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")
"""Of CoNLL-U."""
ENDINGS = (".conllu", ".conll", ".iob", ".iob2", ".bio", ".tsv", ".txt")
Sentence = tuple[tuple[str, ...], tuple[str, ...]]
"""Its words, and a tag for each."""
_DOCUMENT = ("-DOCSTART-",)
# WikiANN writes the language before every word
_LANGUAGE = re.compile(r"([a-z]{2,3}(?:-[a-z-]+)?):.")


def read_conll(path: Path, words: str | int | None = None, tags: str | int | None = None) -> list[Sentence]:
    """Read words and tags, from columns separated by tabs, or by blanks where there is no tab.

    Words that CoNLL-U writes together (1-2) or leaves out (1.1) are passed over, since their parts are words; so are
    comments, documents' beginnings, and the language that WikiANN writes before every word.

    Args:
        path: the file; its columns have names where it ends in .conllu.
        words: the column of words, by its name or counted from 1; None is form, or the first.
        tags: the column of tags; None is upos, or the last.

    Raises:
        ValueError: if a line has no such column, or its word or tag is empty, or there is no sentence.
    """
    lines = list(enumerate(read_lines(path), start=1))
    tabs = any("\t" in line for _, line in lines)
    universal = path.suffix.lower() == ".conllu"
    which = (_column(words, "form", 1, universal, "words"), _column(tags, "upos", -1, universal, "tags"))
    sentences = []
    for blank, group in groupby(lines, lambda numbered: not numbered[1].strip()):
        if blank:
            continue
        found = [
            _cells(line, number, path, which, tabs=tabs)
            for number, line in group
            if not (tabs and line.startswith("#") and "\t" not in line)
            and not (universal and not line.split("\t")[0].isdecimal())
        ]
        own, given = tuple(word for word, _ in found), tuple(tag for _, tag in found)
        if own and own != _DOCUMENT:
            sentences.append((own, given))
    if not sentences:
        raise ValueError(f"Expected sentences of a word per line in {path}, but found none; check the file")
    return _without_language(sentences)


def _column(given: str | int | None, usual: str, place: int, universal: bool, key: str) -> int:
    """Return the position of a column: counted from 0, or -1 for the last."""
    if given is None:
        return COLUMNS.index(usual) if universal else place - (place > 0)
    if universal and given in COLUMNS:
        return COLUMNS.index(str(given))
    if isinstance(given, int) and not isinstance(given, bool) and given >= 1:
        return given - 1
    names = f"one of {', '.join(COLUMNS)}, or " if universal else ""
    raise ValueError(
        f"Expected `task.corpus.{key}` to be {names}the number of a column, counted from 1, but got {given!r}; "
        "correct it, or write null for the usual one"
    )


def _cells(line: str, number: int, path: Path, which: Sequence[int], *, tabs: bool) -> tuple[str, str]:
    cells = line.split("\t") if tabs else line.split()
    if len(cells) < 2 or max(which) >= len(cells):
        wanted = " and ".join("last" if i < 0 else str(i + 1) for i in which)
        raise ValueError(
            f"Expected a word and its tag in columns {wanted}, but got {len(cells)} columns in {path}, line {number}; "
            "correct this line, or task.corpus.words and task.corpus.tags"
        )
    word, tag = (cells[i].strip() for i in which)
    if not word or not tag:
        raise ValueError(f"Expected a word and its tag, but one of them is empty in {path}, line {number}; fill it")
    return word, tag


def _without_language(sentences: list[Sentence]) -> list[Sentence]:
    prefixes = {(match := _LANGUAGE.match(word)) and match[1] for own, _ in sentences for word in own}
    (prefix,) = prefixes if len(prefixes) == 1 else (None,)
    if prefix is None:
        return sentences
    return [(tuple(word[len(prefix) + 1 :] for word in own), tags) for own, tags in sentences]

"""Files of a word per line and a blank line after each sentence: CoNLL-U of Universal Dependencies, and their kin."""

import re
from collections import Counter
from itertools import groupby
from pathlib import Path

from babelscope.data.reading import read_lines

COLUMNS = ("id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")
"""Of CoNLL-U."""
Sentence = tuple[tuple[str, ...], tuple[str, ...]]
"""Its words, and a tag for each."""
Line = tuple[int, list[str]]
"""Its number in the file, and its cells."""
SPAN_TAG = re.compile(r"O|[BIESLU](-.+)?")
"""Outside of any span, or of a span's beginning, inside, end, or single word."""
_DOCUMENT = ("-DOCSTART-",)
# other blanks, such as the one that does not break a line, are part of words
_BLANK = " \t"
_COMMENT = re.compile(r"#(?:[ \t]|begin\b|end\b)")
# words that are written together, and words that are left out, of which neither are syntactic words
_NO_WORD = re.compile(r"\d+-\d+|\d+\.\d+")
# WikiANN writes the language before every word
_LANGUAGE = re.compile(r"([a-z]{2,3}(?:-[a-z-]+)?|simple):")
# names of columns, in the first line of some files
_WORDS = ("token", "tokens", "word", "words", "form")
_TAGS = ("tag", "tags", "label", "labels", "ner", "ner_tag", "ner_tags", "pos", "pos_tag", "pos_tags", "upos", "xpos")


def read_conll(path: Path, words: str | int | None = None, tags: str | int | None = None) -> list[Sentence]:
    """Read words and tags, from columns separated by tabs, or by blanks where no word's line has a tab.

    Words that CoNLL-U writes together (1-2) or leaves out (1.1) are passed over, since their parts are words; so are
    comments, documents' beginnings, names of columns, and the language that WikiANN writes before every word.

    Args:
        path: the file; its columns have names where it ends in .conllu.
        words: the column of words, by its name or counted from 1; None is form, or the first.
        tags: the column of tags; None is upos, or the last.

    Raises:
        ValueError: if a line has other columns than the first one, or no such column, or its word or tag is empty, or
            only the first tag of all marks no span, or there is no sentence.
    """
    universal = path.suffix.lower() == ".conllu"
    which = (_column(words, "form", 1, universal, "words"), _column(tags, "upos", -1, universal, "tags"))
    sentences = []
    for lines in _sentences(path, which, universal=universal):
        found = [
            _word(line, path, which, universal=universal)
            for line in lines
            if not (universal and _NO_WORD.fullmatch(line[1][0]))
        ]
        own, given = tuple(word for word, _ in found), tuple(tag for _, tag in found)
        if own and own != _DOCUMENT:
            sentences.append((own, given))
    if not universal:
        sentences = _without_names(sentences, path)
    if not sentences:
        raise ValueError(f"Expected sentences of a word per line in {path}, but found none; check the file")
    return _without_language(sentences, path)


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


def _sentences(path: Path, which: tuple[int, int], *, universal: bool) -> list[list[Line]]:
    """Cut a file into sentences without their comments, and their lines into cells."""
    lines = [(number, line) for number, line in enumerate(read_lines(path), start=1)]
    words = [
        line for _, line in lines if line.strip(_BLANK) and not line.startswith(_DOCUMENT) and not _COMMENT.match(line)
    ]
    tabs = universal or any("\t" in line for line in words)
    count = len(COLUMNS) if universal else len(_cells(words[0], tabs=tabs)) if words else 0
    rows = [_cells(line, tabs=tabs) for line in words]
    tags = {cells[which[1] % count] for cells in rows if len(cells) == count}

    def is_comment(line: str, cells: list[str]) -> bool:
        if universal:
            return line.startswith("#")
        # a word may be "#", so a comment has to differ from lines of words
        return bool(_COMMENT.match(line)) and (len(cells) != count or cells[which[1] % count] not in tags)

    cut = []
    for blank, group in groupby(lines, lambda line: not line[1].strip(_BLANK)):
        own = [] if blank else [(number, line, _cells(line, tabs=tabs)) for number, line in group]
        while own and is_comment(*own[0][1:]):
            own = own[1:]
        for number, _, cells in own:
            if len(cells) != count and cells[0] not in _DOCUMENT:
                raise ValueError(
                    f"Expected {count} columns separated by {'tabs' if tabs else 'blanks'}, but got {len(cells)} in "
                    f"{path}, line {number}; correct this line"
                )
        cut.append([(number, cells) for number, _, cells in own])
    return cut


def _cells(line: str, *, tabs: bool) -> list[str]:
    return [cell.strip(_BLANK) for cell in line.split("\t")] if tabs else re.split(r"[ \t]+", line.strip(_BLANK))


def _word(line: Line, path: Path, which: tuple[int, int], *, universal: bool) -> tuple[str, str]:
    number, cells = line
    if universal and not cells[0].isdecimal():
        raise ValueError(
            f"Expected the number of a word in the first column, but got {cells[0]!r} in {path}, line {number}"
        )
    places = [place % len(cells) for place in which if place < len(cells)]
    if len(set(places)) < 2:
        wanted = " and ".join("last" if place < 0 else str(place + 1) for place in which)
        raise ValueError(
            f"Expected a word and its tag in columns {wanted}, but there are {len(cells)} columns in {path}, line "
            f"{number}; correct task.corpus.words or task.corpus.tags"
        )
    word, tag = (cells[place] for place in places)
    if not word or not tag:
        raise ValueError(f"Expected a word and its tag, but one of them is empty in {path}, line {number}; fill it")
    return word, tag


def _without_names(sentences: list[Sentence], path: Path) -> list[Sentence]:
    """Drop the names of the columns, if the first line has them."""
    if not sentences:
        return sentences
    (own, tags), *rest = sentences
    word, tag = own[0], tags[0]
    counts = Counter(each for _, given in sentences for each in given)
    if counts[tag] > 1:
        return sentences
    if word.lower() in _WORDS and tag.lower() in _TAGS:
        return [(own[1:], tags[1:]), *rest] if own[1:] else rest
    others = counts.keys() - {tag}
    if len(others) > 1 and all(map(SPAN_TAG.fullmatch, others)) and not SPAN_TAG.fullmatch(tag):
        raise ValueError(
            f"Expected tags such as {', '.join(sorted(others)[:3])}, but the first one in {path} is {tag!r}; remove "
            "this line if it is a header, or correct its tag"
        )
    return sentences


def _without_language(sentences: list[Sentence], path: Path) -> list[Sentence]:
    found = [_LANGUAGE.match(word) for own, _ in sentences for word in own]
    prefixes = {match and match[0] for match in found}
    if len(prefixes) != 1 or (prefix := prefixes.pop()) is None:
        return sentences
    if all(word.startswith(f"{prefix}//") for own, _ in sentences for word in own):  # addresses
        return sentences
    if any(word == prefix for own, _ in sentences for word in own):
        raise ValueError(f"Expected a word after every {prefix!r} in {path}, but there is a line without; remove it")
    return [(tuple(word.removeprefix(prefix) for word in own), tags) for own, tags in sentences]

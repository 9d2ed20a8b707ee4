"""Writing systems of tokens, by the Unicode Script property (UAX 24), and as Wen-Yi & Mimno (2023) labelled them."""

import csv
from collections import Counter
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from unicodedata import category, name

import regex

from babelscope.data.pieces import Piece

CLASSES = {
    "C": "control",
    "L": "letters of no script",
    "M": "marks",
    "N": "numbers",
    "P": "punctuation",
    "S": "symbols",
    "Z": "spaces",
}
"""Labels of text without a letter of any script: the first letter of its general category."""


def _read_names() -> dict[str, str]:
    lines = (files("babelscope.data") / "scripts.tsv").read_text(encoding="utf-8").splitlines()
    return {row["code"]: row["name"] for row in csv.DictReader(lines, delimiter="\t")}


SCRIPTS = _read_names()
"""Unicode's name of each writing system by its ISO 15924 code: Latn is Latin."""
_PATTERN = regex.compile("|".join(rf"(?P<{code}>\p{{Script={script}}})" for code, script in SCRIPTS.items()))
# where the first word of Unicode's character names is not that of the script's own name
_LEGACY = {"Hani": "CJK", "Cans": "CANADIAN", "Talu": "NEW", "Zanb": "ZANABAZAR", "Sgnw": "SIGNWRITING"}


def label(text: str) -> str:
    """Return the writing system of most letters and marks of a text, or else the class of most of its characters.

    The first seen wins ties. Letters that several scripts share, such as U+30FC of the two kana, count for none; text
    of nothing else is "L". An empty text, which is what a bare word-boundary mark leaves, is "Z".

    Returns:
        An ISO 15924 code of `SCRIPTS`, such as Latn or Hira, or a letter of `CLASSES`.
    """
    scripts = [script for script in map(_script, text) if script]
    return _most(scripts or [category(character)[0] for character in text])


def legacy_label(text: str) -> str:
    """Label a text as S1's code does: the first word of the character's name for letters, else the general category.

    Args:
        text: `Piece.legacy`, in which U+2581 stands for a space and counts as the symbol that it is.

    Returns:
        The category of most characters, the first seen of equals: LATIN, CJK, ..., or a letter of `CLASSES`.
    """
    return _most([_legacy(character) for character in text])


def legacy_of(script: str) -> str:
    """Return S1's name for a label: LATIN for Latn, CJK for Hani; a class is itself."""
    if script in CLASSES:
        return script
    return _LEGACY.get(script) or SCRIPTS[script].split("_")[0].upper()


def count_changes(pieces: Iterable[Piece]) -> dict[tuple[str, str], int]:
    """Count the tokens that change between S1's labels and ours, whatever their kind.

    Returns:
        How many by (S1's label, our label, or the kind where a token is set apart), most frequent first.
    """
    changes: Counter[tuple[str, str]] = Counter()
    for piece in pieces:
        before = legacy_label(piece.legacy)
        after = label(piece.text) if piece.kind == "word" else piece.kind
        if piece.kind != "word" or before != legacy_of(after):
            changes[before, after] += 1
    return dict(changes.most_common())


@cache
def _script(character: str) -> str | None:
    """The script of a letter or mark; None for other characters, and for Common, Inherited and Unknown."""
    if category(character)[0] not in "LM":
        return None
    match = _PATTERN.match(character)
    return None if match is None else match.lastgroup


@cache
def _legacy(character: str) -> str:
    kind = category(character)[0]
    return name(character, kind).split()[0] if kind == "L" else kind


def _most(labels: list[str]) -> str:
    # Counter keeps the order of first occurrence among equals
    return Counter(labels).most_common(1)[0][0] if labels else "Z"

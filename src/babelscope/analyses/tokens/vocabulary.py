"""A vocabulary as the analyses of a token table read it: label, text and canonical spelling of every token."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from babelscope.data.pieces import BOUNDARY, Piece
from babelscope.data.scripts import label, legacy_label


@dataclass(frozen=True)
class TokenVocabulary:
    """V tokens, by id; ids that the vocabulary leaves out have neither label nor text."""

    labels: tuple[str, ...]
    """Writing system or class; empty for bytes, control and special tokens, which are left out."""
    texts: tuple[str, ...]
    """Decoded, without word-boundary marks; empty for what is no word."""
    pieces: tuple[str, ...]
    """Decoded, with U+2581 before what begins a word: by this, two vocabularies are matched."""


def label_tokens(pieces: Sequence[Piece], *, legacy: bool = False, rows: int | None = None) -> TokenVocabulary:
    """Label every token by the Unicode Script property, or, if legacy, as S1 does, which sets no token apart.

    Args:
        pieces: Of the vocabulary.
        legacy: Whether to label as S1 does; of what is no word, only tokens among the rows of the table are.
        rows: How many those are; None for as many as there are tokens.
    """
    size = 1 + max(piece.id for piece in pieces)
    labels, texts, spelled = [""] * size, [""] * size, [""] * size
    for piece in pieces:
        word = piece.kind == "word"
        spelled[piece.id] = f"{BOUNDARY if piece.starts_word else ''}{piece.text}" if word else piece.piece
        if word:
            texts[piece.id] = piece.text
        if legacy and (word or rows is None or piece.id < rows):
            labels[piece.id] = legacy_label(piece.legacy)
        elif word:
            labels[piece.id] = label(piece.text)
    return TokenVocabulary(tuple(labels), tuple(texts), tuple(spelled))


def keep_shared(vocabulary: TokenVocabulary, others: Iterable[TokenVocabulary]) -> tuple[str, ...]:
    """Return the labels with those emptied whose tokens are not in all other vocabularies (S1's intersection)."""
    shared = set(vocabulary.pieces)
    for other in others:
        shared &= {piece for piece, name in zip(other.pieces, other.labels, strict=True) if name}
    return tuple(
        name if piece in shared else "" for name, piece in zip(vocabulary.labels, vocabulary.pieces, strict=True)
    )

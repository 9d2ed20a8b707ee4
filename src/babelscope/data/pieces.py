"""The pieces of a vocabulary as text: what a token says, without the marks that its tokenizer writes."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal
from unicodedata import category

from transformers import PreTrainedTokenizerBase

Kind = Literal["word", "byte", "control", "special"]
BOUNDARY = "\u2581"
BYTE = re.compile(r"<0x[0-9A-Fa-f]{2}>")
# what a vocabulary reserves without calling it special: <extra_id_7>, [unused12], <unused3>, <|reserved|>
RESERVED = re.compile(rf"{BOUNDARY}?(<[A-Za-z_ -]*\d+>|\[[A-Za-z_ -]*\d+\]|<\|[^|<>]*\|>)")
BRACKETED = re.compile(r"<[^<>]+>|\[[^\[\]]+\]")


@dataclass(frozen=True, slots=True)
class Piece:
    """One token of a vocabulary."""

    id: int
    """Its row of the token table."""
    piece: str
    """As the vocabulary has it."""
    text: str
    """Decoded, without word-boundary marks; <0xE4> and so on for bytes that are no text alone."""
    kind: Kind
    """A word or a part of one; a byte; control for what is reserved or writes nothing; a special token."""
    starts_word: bool
    """Whether it carries the mark of a word's beginning (in WordPiece: lacks that of a continuation)."""
    legacy: str
    """What S1 labels: decoded, with U+2581 for spaces, and "bad: " before bytes that are no text alone."""


@dataclass(frozen=True, slots=True)
class _Reading:
    """What a scheme makes of one piece; no text where its bytes are none."""

    text: str | None
    starts_word: bool
    legacy: str


def decode_pieces(tokenizer: PreTrainedTokenizerBase) -> list[Piece]:
    """Decode every piece of a vocabulary: SentencePiece and Unigram, WordPiece, byte-level BPE, BPE with byte fallback.

    Returns:
        Pieces in the order of their ids, which may have gaps and may end before or after the table's rows.

    Raises:
        ValueError: if the vocabulary is empty.
    """
    vocabulary: dict[str, int] = tokenizer.get_vocab()
    if not vocabulary:
        raise ValueError(
            f"Expected `tokenizer` to have a vocabulary, but that of {type(tokenizer).__name__} is empty; "
            "correct the tokenizer's files in `model.checkpoint`."
        )
    added = tokenizer.added_tokens_decoder
    special = {*tokenizer.all_special_ids, *(i for i, token in added.items() if token.special)}
    read = _scheme(tokenizer, vocabulary)
    pieces = []
    for piece, i in sorted(vocabulary.items(), key=lambda item: item[1]):
        # text that was added to a vocabulary is not written in its scheme
        reading = _read_plain(piece) if i in added else read(piece)
        kind = _kind(piece, reading, special=i in special, added=i in added)
        text = _escape(piece) if reading.text is None else reading.text
        pieces.append(Piece(i, piece, text, kind, reading.starts_word, reading.legacy))
    return pieces


def _kind(piece: str, reading: _Reading, *, special: bool, added: bool) -> Kind:
    if BYTE.fullmatch(piece):  # which a tokenizer may have among its special tokens
        return "byte"
    if special:
        return "special"
    if reading.text is None:
        return "byte"
    if RESERVED.fullmatch(piece) or (added and BRACKETED.fullmatch(piece)):
        return "control"
    # line feeds, joiners, private use: characters without a glyph
    if reading.text and all(category(character)[0] == "C" for character in reading.text):
        return "control"
    return "word"


def _scheme(tokenizer: PreTrainedTokenizerBase, vocabulary: dict[str, int]) -> Callable[[str], _Reading]:
    """Find out how the pieces of a tokenizer are written."""
    backend: Any = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:  # written in Python: only its vocabulary can tell
        marked = any(piece.startswith(BOUNDARY) for piece in vocabulary)
        return _read_plain if marked or not any(piece.startswith("##") for piece in vocabulary) else _wordpiece("##")
    if any("ByteLevel" in _types(part) for part in (backend.decoder, backend.pre_tokenizer)):
        return _read_bytes
    if type(backend.model).__name__ == "WordPiece":
        return _wordpiece(backend.model.continuing_subword_prefix)
    return _read_plain


def _types(part: Any) -> set[str]:
    """Name the types of a decoder or pre-tokenizer and of those inside it."""
    found: set[str] = set()
    left = [] if part is None else [json.loads(part.__getstate__())]
    while left:
        state = left.pop()
        if isinstance(state, dict):
            found.add(str(state.get("type")))
            left += state.get("decoders") or state.get("pretokenizers") or []
    return found


def _read_plain(piece: str) -> _Reading:
    """Read a piece in which U+2581 stands for a space."""
    return _Reading(piece.replace(BOUNDARY, " ").strip(" "), piece.startswith((BOUNDARY, " ")), piece)


def _wordpiece(prefix: str) -> Callable[[str], _Reading]:
    def read(piece: str) -> _Reading:
        continues = piece.startswith(prefix) and piece != prefix
        return _Reading(piece.removeprefix(prefix) if continues else piece, not continues, piece)

    return read


def _byte_alphabet() -> dict[str, int]:
    """The characters that stand for bytes in GPT-2's alphabet: printable Latin-1 as such, the rest from U+0100 on."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    rest = [byte for byte in range(0x100) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(0x100 + i): byte for i, byte in enumerate(rest)}


_BYTES = _byte_alphabet()


def _read_bytes(piece: str) -> _Reading:
    """Read a piece in GPT-2's alphabet, in which a space is U+0120."""
    if any(character not in _BYTES for character in piece):
        return _read_plain(piece)
    try:
        text = bytes(_BYTES[character] for character in piece).decode()
    except UnicodeDecodeError:
        return _Reading(None, piece.startswith("\u0120"), f"bad: {piece}")
    return _Reading(text.strip(" "), text.startswith(" "), text.replace(" ", BOUNDARY))


def _escape(piece: str) -> str:
    return "".join(f"<0x{_BYTES[character]:02X}>" for character in piece)

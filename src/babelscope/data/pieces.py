"""The pieces of a vocabulary as text, without the marks that the tokenizer writes."""

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal
from unicodedata import category

from transformers import PreTrainedTokenizerBase

Kind = Literal["word", "byte", "control", "special"]
BOUNDARY = "\u2581"
BYTE = re.compile(r"<0x[0-9A-Fa-f]{2}>")
# what a vocabulary reserves without calling it special: <extra_id_7>, [unused12], <unused3>, <|reserved|>
RESERVED = re.compile(rf"{BOUNDARY}?(<[A-Za-z_ -]*\d+>|\[[A-Za-z_ -]*\d+\]|<\|[^|<>]*\|>)")
_MARKS = ("continuing_subword_prefix", "end_of_word_suffix")  # of a model of the `tokenizers` library, if it has them
BRACKETED = re.compile(r"<[^<>]+>|\[[^\[\]]+\]")


@dataclass(frozen=True, slots=True)
class Piece:
    """One token of a vocabulary."""

    id: int
    """Its row of the token table."""
    piece: str
    """As the vocabulary has it."""
    text: str
    """Decoded, without word-boundary marks; <0xE4> and so on for bytes that are not text by themselves."""
    kind: Kind
    """A word or a part of one; a byte; control for what is reserved or writes nothing; a special token."""
    starts_word: bool
    """Whether it carries the mark of a word's beginning (in WordPiece: lacks that of a continuation); where only
    ends are marked, as `w</w>`, or `w@@` where none is, whether a word ends there: whole words have both."""
    legacy: str
    """What S1 labels: decoded, with U+2581 for spaces, and "bad: " before bytes that are not text by themselves."""


@dataclass(frozen=True, slots=True)
class _Reading:
    """What a scheme makes of one piece."""

    text: str
    starts_word: bool
    legacy: str
    is_text: bool = True
    """False where its bytes are not text by themselves, and `text` names them."""


def decode_pieces(tokenizer: PreTrainedTokenizerBase) -> list[Piece]:
    """Decode every piece of a vocabulary: SentencePiece, WordPiece, BPE of text with any marks or of bytes, and bytes.

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
        pieces.append(Piece(i, piece, reading.text, kind, reading.starts_word, reading.legacy))
    return pieces


def _kind(piece: str, reading: _Reading, *, special: bool, added: bool) -> Kind:
    if BYTE.fullmatch(piece):  # which a tokenizer may have among its special tokens
        return "byte"
    if special:
        return "special"
    if not reading.is_text:
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
    if backend is None:  # written in Python: only its class or its vocabulary can show the scheme
        if known := _PYTHON.get(type(tokenizer).__name__):
            return known
        marked = any(piece.startswith(BOUNDARY) for piece in vocabulary)
        continued = not marked and any(piece.startswith("##") for piece in vocabulary)
        return _continued(_read_verbatim, "##") if continued else _read_plain
    prefix, suffix = (getattr(backend.model, name, None) for name in _MARKS)
    is_bytes = any("ByteLevel" in _types(part) for part in (backend.decoder, backend.pre_tokenizer))
    is_wordpiece = type(backend.model).__name__ == "WordPiece"
    read = _read_bytes if is_bytes else _read_verbatim if is_wordpiece else _read_plain
    if prefix:
        return _continued(read, prefix, suffix or "")
    return _ending(read, suffix) if suffix else read


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


def _read_verbatim(piece: str) -> _Reading:
    return _Reading(piece, True, piece)


def _continued(read: Callable[[str], _Reading], prefix: str, suffix: str = "") -> Callable[[str], _Reading]:
    """Read pieces of which those inside a word begin with a prefix, and those at its end may end with a suffix."""

    def reading(piece: str) -> _Reading:
        continues = piece.startswith(prefix) and piece != prefix
        bare = piece.removeprefix(prefix) if continues else piece
        return replace(read(bare.removesuffix(suffix)), starts_word=not continues, legacy=read(piece).legacy)

    return reading


def _ending(read: Callable[[str], _Reading], suffix: str) -> Callable[[str], _Reading]:
    """Read pieces of which those at the end of a word end with a suffix."""

    def reading(piece: str) -> _Reading:
        ends = piece.endswith(suffix)
        return replace(read(piece.removesuffix(suffix)), starts_word=ends, legacy=read(piece).legacy)

    return reading


def _read_unfinished(piece: str) -> _Reading:
    """Read a piece that ends with @@ unless a word ends there."""
    bare = piece.removesuffix("@@") or piece
    return _Reading(bare, bare == piece, piece)


def _read_byte(piece: str) -> _Reading:
    """Read a character that stands for the byte of its number, which is text alone in ASCII only."""
    if piece.isascii():
        return _Reading(piece.strip(" "), piece == " ", piece.replace(" ", BOUNDARY))
    return _Reading(_escape(map(ord, piece)), False, f"bad: {piece}", is_text=False)


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
    raw = bytes(_BYTES[character] for character in piece)
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return _Reading(_escape(raw), piece.startswith("\u0120"), f"bad: {piece}", is_text=False)
    return _Reading(text.strip(" "), text.startswith(" "), text.replace(" ", BOUNDARY))


def _escape(raw: Iterable[int]) -> str:
    return "".join(f"<0x{byte:02X}>" for byte in raw)


# tokenizers written in Python whose vocabulary alone does not show their scheme, by class: transformers'
# models/byt5, /phobert and so on, where `convert_tokens_to_string` undoes it
_PYTHON: dict[str, Callable[[str], _Reading]] = {
    "ByT5Tokenizer": _read_byte,
    **dict.fromkeys(
        ("PhobertTokenizer", "BertweetTokenizer", "CTRLTokenizer", "BlenderbotSmallTokenizer"), _read_unfinished
    ),
    **dict.fromkeys(
        ("FlaubertTokenizer", "XLMTokenizer", "FSMTTokenizer", "BioGptTokenizer"), _ending(_read_plain, "</w>")
    ),
}

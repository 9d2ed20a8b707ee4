"""Texts as token ids; tokens that the tokenizer added are marked by position."""

import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from babelscope.data.source_language import has_language_token, source_language


@dataclass(frozen=True)
class Encoding:
    """One text, or one pair of texts, of T tokens.

    Attributes:
        ids: token ids (T).
        special: which of them the tokenizer added (T). This is decided by position, because a pad token may also be the
            end token, and a text may spell out a special token.
        segments: of a pair, 0 in the first text and 1 in the second (T), special tokens as the tokenizer counts them.
        spans: half-open ranges of the characters of the text that tokens stand for (T), if they were asked for.
    """

    ids: list[int]
    special: list[bool]
    segments: list[int] | None = None
    spans: list[tuple[int, int]] | None = None


class NoTokensError(ValueError):
    """Raised for a text without ordinary tokens; `index` is its position among the given texts."""

    def __init__(self, texts: Sequence[str], index: int):
        super().__init__(_without_tokens(f"text {index + 1} of {len(texts)}", texts[index]) + "remove it")
        self.text, self.index = texts[index], index


@contextmanager
def naming_sentences(languages: Sequence[str], ids: Sequence[str]) -> Iterator[None]:
    """Make a `NoTokensError` name the language and sentence of the text, for texts that come from a corpus.

    Args:
        languages: Languages in the order of the texts; each has one text per id.
        ids: Ids of the sentences.
    """
    try:
        yield
    except NoTokensError as error:
        language, sentence = divmod(error.index, len(ids))
        place = f"sentence {ids[sentence]!r} in {languages[language]}"
        raise ValueError(_without_tokens(place, error.text) + "remove it from every language") from error


def _without_tokens(place: str, text: str) -> str:
    # letters, numbers, punctuation and symbols are visible; marks, blanks and controls alone are not
    shows = any(unicodedata.category(character)[0] in "LNPS" for character in text[:40])
    shown = repr(text[:40]) if shows else ascii(text[:40])
    return f"Expected every text to have an ordinary token, but {place} ({shown}) has none; "


def encode(
    texts: Sequence[str],
    tokenizer: PreTrainedTokenizerBase,
    *,
    max_length: int = 512,
    languages: Sequence[str | None] | None = None,
    spans: bool = False,
) -> list[Encoding]:
    """Tokenize texts with special tokens; long texts are cut before their end token.

    Texts are cut on the right, whatever the tokenizer's own side, which is restored afterwards.

    Args:
        texts: S texts.
        tokenizer: of the model.
        max_length: most tokens in a text, special ones included; the tokenizer's own limit also applies.
        languages: FLORES code of each text, for models that need it; None leaves it to the tokenizer.
        spans: whether to find the characters that tokens stand for.

    Raises:
        ValueError: if max_length leaves no room for the text, or the tokenizer does not know a language, or spans.
        NoTokensError: if a text has no ordinary token.
    """
    if not texts:
        return []
    longest = min(max_length, tokenizer.model_max_length)
    added = tokenizer.num_special_tokens_to_add()
    if longest <= added:
        raise ValueError(
            f"Expected `max_length` to be more than the {added} special tokens of a text, but got {longest}; raise it"
        )
    if spans and not tokenizer.is_fast:
        raise ValueError(
            f"Expected a tokenizer that knows which characters a token stands for, but {type(tokenizer).__name__} does "
            "not; choose a model whose tokenizer is a fast one"
        )
    encodings: list[Encoding] = []
    each = languages if languages is not None and has_language_token(tokenizer) else [None] * len(texts)
    for language, run in groupby(zip(each, texts, strict=True), key=itemgetter(0)):
        with cutting_on_the_right(tokenizer), source_language(tokenizer, language):
            rows = tokenizer(
                [text for _, text in run],
                truncation=True,
                max_length=longest,
                padding=False,
                return_attention_mask=False,
                return_special_tokens_mask=True,
                return_offsets_mapping=spans,
            )
        found = rows["offset_mapping"] if spans else [None] * len(rows["input_ids"])
        for ids, mask, own in zip(rows["input_ids"], rows["special_tokens_mask"], found, strict=True):
            if all(mask):
                raise NoTokensError(texts, len(encodings))
            encodings.append(Encoding(list(ids), [bool(flag) for flag in mask], spans=own))
    return encodings


@contextmanager
def cutting_on_the_right(tokenizer: PreTrainedTokenizerBase) -> Iterator[None]:
    """Temporarily make a tokenizer cut long texts on the right, whatever its own side."""
    # set as an attribute, because the call has no argument for it
    side, tokenizer.truncation_side = tokenizer.truncation_side, "right"
    try:
        yield
    finally:
        tokenizer.truncation_side = side


def pad_id(tokenizer: PreTrainedTokenizerBase) -> int:
    """Return the id to pad with: that of the pad, end or unknown token, else 0.

    Masks decide what is padding, never this id. LLaMA has no pad token. A sequence classification head needs the same
    id as its ``config.pad_token_id``.
    """
    ids = (tokenizer.pad_token_id, tokenizer.eos_token_id, tokenizer.unk_token_id)
    return next((int(i) for i in ids if i is not None), 0)


def pad(rows: Sequence[Sequence[int]], value: int) -> Tensor:
    """Stack rows of different lengths as (B, T), padded on the right with `value`."""
    width = max(len(row) for row in rows)
    return torch.tensor([[*row, *[value] * (width - len(row))] for row in rows], dtype=torch.long)


def attention_mask(rows: Sequence[Sequence[int]]) -> Tensor:
    """Return the attention mask (B, T) of rows padded on the right: 1 on tokens, 0 on padding."""
    return pad([[1] * len(row) for row in rows], 0)


def count_added(tokenizer: PreTrainedTokenizerBase) -> tuple[int, int]:
    """Return how many special tokens a tokenizer puts before and after a text."""
    mask = tokenizer("a", return_special_tokens_mask=True)["special_tokens_mask"]
    return mask.index(0), mask[::-1].index(0)

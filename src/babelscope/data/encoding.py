"""Texts as token ids, with the tokens that the tokenizer added told apart by position."""

import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from babelscope.data.told import tells, told


@dataclass(frozen=True)
class Encoding:
    """One text of T tokens.

    Attributes:
        ids: token ids (T).
        special: which of them the tokenizer added around the text (T). It is known by position: a pad token may be an
            end token as well, and a text may spell out a special token.
    """

    ids: list[int]
    special: list[bool]


class NoTokensError(ValueError):
    """A text is nothing to the tokenizer; `index` is its place among the texts that were given."""

    def __init__(self, texts: Sequence[str], index: int):
        super().__init__(_without_tokens(f"text {index + 1} of {len(texts)}", texts[index]) + "remove it")
        self.text, self.index = texts[index], index


@contextmanager
def naming_sentences(languages: Sequence[str], ids: Sequence[str]) -> Iterator[None]:
    """Let an error name language and sentence of a text, where the texts encoded are those of a corpus.

    Args:
        languages: In the order of the texts, of which each has one per id.
        ids: Of the sentences.
    """
    try:
        yield
    except NoTokensError as error:
        language, sentence = divmod(error.index, len(ids))
        place = f"sentence {ids[sentence]!r} in {languages[language]}"
        raise ValueError(_without_tokens(place, error.text) + "remove it from every language") from error


def _without_tokens(place: str, text: str) -> str:
    # letters, numbers, punctuation and symbols show; of marks, blanks and controls alone nothing is to be seen
    shows = any(unicodedata.category(character)[0] in "LNPS" for character in text[:40])
    shown = repr(text[:40]) if shows else ascii(text[:40])
    return f"Expected every text to have an ordinary token, but {place} ({shown}) has none; "


def encode(
    texts: Sequence[str],
    tokenizer: PreTrainedTokenizerBase,
    *,
    max_length: int = 512,
    languages: Sequence[str | None] | None = None,
) -> list[Encoding]:
    """Tokenize texts with special tokens, cutting long ones before their end token.

    They are cut on the right, whatever the tokenizer's own side, which is left as it is.

    Args:
        texts: S texts.
        tokenizer: of the model.
        max_length: most tokens of a text, special ones included; the tokenizer's own limit holds as well.
        languages: FLORES code of each text, for models that are told it; None leaves it to the tokenizer.

    Raises:
        ValueError: if max_length leaves no room for the text, or the model cannot be told a language.
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
    encodings: list[Encoding] = []
    each = languages if languages is not None and tells(tokenizer) else [None] * len(texts)
    for language, run in groupby(zip(each, texts, strict=True), key=itemgetter(0)):
        with cutting_on_the_right(tokenizer), told(tokenizer, language):
            rows = tokenizer(
                [text for _, text in run],
                truncation=True,
                max_length=longest,
                padding=False,
                return_attention_mask=False,
                return_special_tokens_mask=True,
            )
        for ids, mask in zip(rows["input_ids"], rows["special_tokens_mask"], strict=True):
            if all(mask):
                raise NoTokensError(texts, len(encodings))
            encodings.append(Encoding(list(ids), [bool(flag) for flag in mask]))
    return encodings


@contextmanager
def cutting_on_the_right(tokenizer: PreTrainedTokenizerBase) -> Iterator[None]:
    """Let a tokenizer cut the ends of long texts, whatever its own side, to which it returns."""
    # an attribute only: a call has no argument for it
    side, tokenizer.truncation_side = tokenizer.truncation_side, "right"
    try:
        yield
    finally:
        tokenizer.truncation_side = side


def pad_id(tokenizer: PreTrainedTokenizerBase) -> int:
    """Return the id to pad with: of the pad, end or unknown token, else 0; masks decide what is padding, never this id.

    LLaMA has no pad token. A sequence classification head needs the same id as its ``config.pad_token_id``.
    """
    ids = (tokenizer.pad_token_id, tokenizer.eos_token_id, tokenizer.unk_token_id)
    return next((int(i) for i in ids if i is not None), 0)


def pad(rows: Sequence[Sequence[int]], value: int) -> Tensor:
    """Stack rows of different lengths as (B, T), filled up on the right."""
    width = max(len(row) for row in rows)
    return torch.tensor([[*row, *[value] * (width - len(row))] for row in rows], dtype=torch.long)


def attend(rows: Sequence[Sequence[int]]) -> Tensor:
    """Return the attention mask (B, T) of rows padded on the right: 1 on tokens, 0 on padding."""
    return pad([[1] * len(row) for row in rows], 0)


def count_added(tokenizer: PreTrainedTokenizerBase) -> tuple[int, int]:
    """Count the special tokens that a tokenizer puts before and after a text."""
    mask = tokenizer("a", return_special_tokens_mask=True)["special_tokens_mask"]
    return mask.index(0), mask[::-1].index(0)

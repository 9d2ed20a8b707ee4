"""Tagged words as tokens: the first token of a word carries its tag, and the others carry none."""

import logging
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from torch import Tensor
from transformers import PreTrainedTokenizerBase

from babelscope.data.corpora import Corpus
from babelscope.data.encoding import Encoding, attention_mask, encode, naming_sentences, pad, pad_id
from babelscope.data.labelled import LabelledCorpus
from babelscope.data.objectives import IGNORED, Example

logger = logging.getLogger(__name__)


class TaggedWords:
    """Pads texts and the tags of their tokens, (B, T) each."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase):
        self.pad_id = pad_id(tokenizer)

    def __call__(self, examples: Sequence[Example]) -> dict[str, Tensor]:
        """Batch examples with a tag, or `IGNORED`, for every token."""
        rows = [example["input_ids"] for example in examples]
        labels = pad([example["labels"] for example in examples], IGNORED)
        return {"input_ids": pad(rows, self.pad_id), "attention_mask": attention_mask(rows), "labels": labels}


def is_tagged(text: Corpus | LabelledCorpus) -> bool:
    """Return whether the words of a text are tagged."""
    return isinstance(text, LabelledCorpus) and all(own.tags is not None for own in text.by_language.values())


def tag_names(*texts: Corpus | LabelledCorpus) -> tuple[str, ...]:
    """Return the tags of texts, sorted; the position of a tag is its number.

    Texts of other languages may have tags that those of the training language lack: such words are never tagged right.

    Raises:
        ValueError: if there is only one tag.
    """
    every = (text.examples(code).tags for text in texts for code in text.texts)
    names = tuple(sorted({name for tags in every for own in tags or () for name in own}))
    if len(names) < 2:
        raise ValueError(
            f"Expected words with at least 2 tags to tell apart, but {texts[0].name!r} has "
            f"{', '.join(names) or 'none'}; say where they are, by task.corpus.tags"
        )
    return names


def encode_tagged(
    text: Corpus | LabelledCorpus,
    language: str,
    *,
    tokenizer: PreTrainedTokenizerBase,
    tags: Sequence[str],
    max_length: int,
) -> list[dict[str, Any]]:
    """Tokenize the texts of one language (N), each with a label for every token.

    Words that a long text is cut before, or that a tokenizer gives no token of their own, have no label; a warning
    counts them.

    Raises:
        ValueError: if the words are not tagged, a tag is not among those given, or no word of a text has a token.
    """
    examples = text.examples(language)
    if examples.words is None or examples.tags is None:
        raise ValueError(f"Expected text with tagged words, but {text.name!r} has none; choose another task")
    number = {name: i for i, name in enumerate(tags)}
    unknown = sorted({name for own in examples.tags for name in own} - number.keys())
    if unknown:
        raise ValueError(f"Expected the tags {', '.join(tags)} in {text.name!r}, but got {unknown[0]!r} in {language}")
    with naming_sentences([language], examples.ids):
        texts = [" ".join(words) for words in examples.words]
        languages = [language] * len(texts)
        found = encode(texts, tokenizer, max_length=max_length, languages=languages, spans=True)
    rows = []
    for key, encoding, words, own in zip(examples.ids, found, examples.words, examples.tags, strict=True):
        labels = _labels(encoding, words, [number[name] for name in own])
        if all(label == IGNORED for label in labels):
            raise ValueError(
                f"Expected a token of a word in every text, but sentence {key!r} in {language} has none; remove it"
            )
        rows.append({"input_ids": encoding.ids, "labels": labels})
    total = sum(map(len, examples.words))
    missed = total - sum(label != IGNORED for row in rows for label in row["labels"])
    if missed:
        logger.warning(
            "%d of %d words in %s are not trained on or scored: they lie beyond %d tokens, or the tokenizer has none "
            "for them; raise task.max_length where that is the reason.",
            missed,
            total,
            language,
            max_length,
        )
    return rows


def _labels(encoding: Encoding, words: Sequence[str], numbers: Sequence[int]) -> list[int]:
    """Put the number of each word where Hugging Face's `word_ids` first have it.

    That is at the first token that has a character of it or is the blank before it, and is not a word's before.
    """
    ends = [length - 1 for length in accumulate(1 + len(word) for word in words)]  # a blank after each
    labels, place = [IGNORED] * len(encoding.ids), 0
    for i, (start, end) in enumerate(encoding.spans or ()):
        if encoding.special[i] or start == end:
            continue
        while place < len(words) and ends[place] <= start:  # it had no token of its own
            place += 1
        if place < len(words) and ends[place] - len(words[place]) - 1 < end:
            labels[i] = numbers[place]
            place += 1
    return labels

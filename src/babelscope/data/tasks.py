"""What a model is fine-tuned on: encoded examples of one language, and the collators that batch them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from transformers import PreTrainedConfig, PreTrainedTokenizerBase

from babelscope.data.corpora import Corpus
from babelscope.data.encoding import Encoding, NoTokensError, encode, naming_sentences
from babelscope.data.labelled import Examples, LabelledCorpus
from babelscope.data.objectives import Classification, Collator, collator_for
from babelscope.data.pairs import encode_pairs
from babelscope.data.tagging import TaggedWords, encode_tagged

TaskCorpus = Corpus | LabelledCorpus
"""Parallel sentences, or examples of each language's own."""


@dataclass(frozen=True)
class Task:
    """A task as three functions.

    Attributes:
        labels: names of the classes in the order of their numbers; None where there are none.
        encode: what there is in one language of a text (N), in its order.
        collate: makes batches for training.
        collate_same: makes batches for validation and test, where a text always gives the same batch.
    """

    labels: tuple[str, ...] | None
    encode: Callable[[TaskCorpus, str], list[dict[str, Any]]]
    collate: Collator
    collate_same: Collator


def classification(
    tokenizer: PreTrainedTokenizerBase, labels: tuple[str, ...], *, max_length: int = 256, segments: bool = False
) -> Task:
    """Make the task of choosing the label of a text, such as its topic, or of a pair of texts.

    Args:
        tokenizer: of the model.
        labels: names of the classes, from `label_names` of what is trained on.
        max_length: most tokens of a text or pair.
        segments: whether to give the model the text of a pair that each token is in, as BERT needs.
    """
    collate = Classification(tokenizer)
    examples = partial(encode_labelled, tokenizer=tokenizer, labels=labels, max_length=max_length, segments=segments)
    return Task(labels, examples, collate, collate)


def tagging(tokenizer: PreTrainedTokenizerBase, tags: tuple[str, ...], *, max_length: int = 256) -> Task:
    """Make the task of choosing the tag of every word, such as its part of speech, or its part in a name.

    Args:
        tokenizer: of the model.
        tags: their names, from `tag_names` of all that is trained and tested on.
        max_length: most tokens of a text.
    """
    collate = TaggedWords(tokenizer)
    return Task(tags, partial(encode_tagged, tokenizer=tokenizer, tags=tags, max_length=max_length), collate, collate)


def lm(tokenizer: PreTrainedTokenizerBase, objective: str, *, max_length: int = 256, seed: int = 0) -> Task:
    """Make the task of language modelling by the objective of the model's family.

    Args:
        tokenizer: of the model.
        objective: masked, span or causal.
        max_length: most tokens of a text.
        seed: of what is masked in validation and test.
    """
    examples = partial(encode_texts, tokenizer=tokenizer, max_length=max_length)
    return Task(None, examples, collator_for(objective, tokenizer), collator_for(objective, tokenizer, seed=seed))


def reads_segments(tokenizer: PreTrainedTokenizerBase, config: PreTrainedConfig) -> bool:
    """Return whether a model distinguishes the two texts of a pair: its tokenizer gives segments, and it embeds two."""
    return "token_type_ids" in tokenizer.model_input_names and getattr(config, "type_vocab_size", 0) > 1


def label_names(text: TaskCorpus) -> tuple[str, ...]:
    """Return the labels of a text, sorted; the position of a label is its number.

    Raises:
        ValueError: if the text has no labels, or only one.
    """
    names = tuple(sorted({name for code in text.texts for name in text.examples(code).labels or ()}))
    if len(names) < 2:
        raise ValueError(
            f"Expected text with at least 2 labels to tell apart, but {text.name!r} has {len(names)}; choose task=lm, "
            "a corpus with labels such as sib200, or say where they are, by corpus.labels: a file with corpus=lines, a "
            "column with corpus=table; or by task.corpus.label, a column with task=classification"
        )
    return names


def encode_texts(
    text: TaskCorpus, language: str, *, tokenizer: PreTrainedTokenizerBase, max_length: int, segments: bool = False
) -> list[dict[str, Any]]:
    """Tokenize what there is in one language (N): texts, or pairs of texts.

    Raises:
        ValueError: if there is nothing in the language, or a text or pair is end tokens only; see `encode` for texts.
    """
    examples = text.examples(language)
    rows: list[dict[str, Any]] = []
    with naming_sentences([language], examples.ids):
        for found in _encode(examples, language, tokenizer, max_length):
            kept = _without_ends(found, tokenizer)
            if all(found.special[i] for i in kept):
                raise NoTokensError(_joined(examples), len(rows))
            row = {"input_ids": [found.ids[i] for i in kept]}
            if segments and found.segments is not None:
                row["token_type_ids"] = [found.segments[i] for i in kept]
            rows.append(row)
    return rows


def _joined(examples: Examples) -> Sequence[str]:
    """Return each text, or both texts of a pair as one, for errors."""
    if examples.seconds is None:
        return examples.texts
    return [" ".join(pair) for pair in zip(examples.texts, examples.seconds, strict=True)]


def _encode(examples: Examples, language: str, tokenizer: PreTrainedTokenizerBase, max_length: int) -> list[Encoding]:
    if examples.seconds is None:
        languages = [language] * len(examples.texts)
        return encode(examples.texts, tokenizer, max_length=max_length, languages=languages)
    pairs = list(zip(examples.texts, examples.seconds, strict=True))
    return encode_pairs(pairs, tokenizer, max_length=max_length, language=language)


def _without_ends(found: Encoding, tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Find the positions to keep: mT5's classifier reads the end tokens, and a text may spell out one more."""
    end = tokenizer.eos_token_id
    return [i for i, token in enumerate(found.ids) if found.special[i] or token != end]


def encode_labelled(
    text: TaskCorpus,
    language: str,
    *,
    tokenizer: PreTrainedTokenizerBase,
    labels: tuple[str, ...],
    max_length: int,
    segments: bool = False,
) -> list[dict[str, Any]]:
    """Tokenize what there is in one language (N), each with the number of its label.

    Raises:
        ValueError: if a label is not among those given, or there are none.
    """
    own = text.examples(language).labels
    if own is None:
        raise ValueError(f"Expected text with labels, but {text.name!r} has none; choose task=lm")
    unknown = set(own) - set(labels)
    if unknown:
        raise ValueError(
            f"Expected the labels {', '.join(labels)} in {text.name!r}, but got {sorted(unknown)[0]!r} in {language}; "
            f"train and test on texts with the same labels"
        )
    rows = encode_texts(text, language, tokenizer=tokenizer, max_length=max_length, segments=segments)
    return [{**row, "labels": labels.index(name)} for row, name in zip(rows, own, strict=True)]

"""What a model is fine-tuned on: encoded examples of one language, and the collators that batch them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from transformers import PreTrainedTokenizerBase

from babelscope.data.corpora import Corpus
from babelscope.data.encoding import NoTokensError, encode, naming_sentences
from babelscope.data.objectives import Classification, Collator, collator_for


@dataclass(frozen=True)
class Task:
    """A task as three functions.

    Attributes:
        labels: names of the classes in the order of their numbers; None where there are none.
        encode: examples of one language of a corpus, one per sentence (S), in the corpus's order.
        collate: makes batches for training.
        collate_same: makes batches for validation and test, where a text always gives the same batch.
    """

    labels: tuple[str, ...] | None
    encode: Callable[[Corpus, str], list[dict[str, Any]]]
    collate: Collator
    collate_same: Collator


def topic(tokenizer: PreTrainedTokenizerBase, labels: tuple[str, ...], *, max_length: int = 256) -> Task:
    """Make the task of choosing a sentence's label.

    Args:
        tokenizer: of the model.
        labels: names of the classes, from `label_names` of the training corpus.
        max_length: most tokens of a text.
    """
    collate = Classification(tokenizer)
    examples = partial(encode_labelled, tokenizer=tokenizer, labels=labels, max_length=max_length)
    return Task(labels, examples, collate, collate)


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


def label_names(corpus: Corpus) -> tuple[str, ...]:
    """Return the labels of a corpus, sorted; the position of a label is its number.

    Raises:
        ValueError: if the corpus has no labels, or only one.
    """
    names = tuple(sorted(set(corpus.labels or ())))
    if len(names) < 2:
        raise ValueError(
            f"Expected a corpus with at least 2 labels for task topic, but corpus {corpus.name!r} has {len(names)}; "
            f"choose task=lm, a corpus with labels such as sib200, or give them by corpus.labels: "
            f"a file with corpus=lines, a column with corpus=table"
        )
    return names


def encode_texts(
    corpus: Corpus, language: str, *, tokenizer: PreTrainedTokenizerBase, max_length: int
) -> list[dict[str, Any]]:
    """Tokenize the sentences of one language (S).

    Raises:
        ValueError: if the corpus does not have the language, or a text is end tokens only; see `encode` for texts.
    """
    texts = corpus.select([language]).texts[language]
    # mT5's classifier reads the one end token of a text; one spelled out in the text would be a second
    end = tokenizer.eos_token_id
    rows: list[dict[str, Any]] = []
    with naming_sentences([language], corpus.ids):
        for text in encode(texts, tokenizer, max_length=max_length, languages=[language] * len(texts)):
            kept = [(i, special) for i, special in zip(text.ids, text.special, strict=True) if special or i != end]
            if all(special for _, special in kept):
                raise NoTokensError(texts, len(rows))
            rows.append({"input_ids": [i for i, _ in kept]})
    return rows


def encode_labelled(
    corpus: Corpus, language: str, *, tokenizer: PreTrainedTokenizerBase, labels: tuple[str, ...], max_length: int
) -> list[dict[str, Any]]:
    """Tokenize the sentences of one language (S), each with the number of its label.

    Raises:
        ValueError: if a label is not among those given, or the corpus has none.
    """
    if corpus.labels is None:
        raise ValueError(f"Expected a corpus with labels, but corpus {corpus.name!r} has none; choose task=lm")
    unknown = set(corpus.labels) - set(labels)
    if unknown:
        raise ValueError(
            f"Expected the labels {', '.join(labels)} in corpus {corpus.name!r}, but got {sorted(unknown)[0]!r}; "
            f"train and test on corpora with the same labels"
        )
    rows = encode_texts(corpus, language, tokenizer=tokenizer, max_length=max_length)
    return [{**row, "labels": labels.index(name)} for row, name in zip(rows, corpus.labels, strict=True)]

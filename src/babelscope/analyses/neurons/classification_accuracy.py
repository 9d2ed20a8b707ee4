"""Accuracy of a fine-tuned classifier in every language, for a model that is probed rather than trained."""

from typing import Any

import torch
from torch.utils.data import DataLoader

from babelscope.analyses.rows import Rows, row
from babelscope.data.corpora import Corpus
from babelscope.data.tasks import classification
from babelscope.models.parts import Parts
from babelscope.states.embed import evaluating

BATCH = 64


def classification_accuracy(parts: Parts, tokenizer: Any, corpus: Corpus, labels: tuple[str, ...]) -> Rows:
    """Measure the share of sentences whose label the model gives, as rows `accuracy` per language and as their mean.

    Args:
        parts: Of a model with a classifier's head.
        tokenizer: Of the model.
        corpus: Labelled sentences.
        labels: Names of the classes in the order of their numbers.

    Raises:
        ValueError: if the corpus has no labels, or others.
    """
    task = classification(tokenizer, labels)
    values = {}
    with evaluating(parts.model):
        for language in corpus.languages:
            right = 0
            examples: Any = task.encode(corpus, language)
            loader: DataLoader[Any] = DataLoader(examples, batch_size=BATCH, collate_fn=task.collate_same)
            for batch in loader:
                given = {name: value.to(parts.device) for name, value in batch.items()}
                right += int(torch.sum(parts.model(**given).logits.argmax(dim=-1) == given["labels"]))
            values[language] = right / len(corpus)
    shown = {**values, "": sum(values.values()) / len(values)}
    return [row("accuracy", value, language) for language, value in shown.items()]

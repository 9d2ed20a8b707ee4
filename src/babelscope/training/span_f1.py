"""F1 over spans of tagged words, such as names, by the rules of the CoNLL shared tasks (Tjong Kim Sang 2002)."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torchmetrics import Metric

from babelscope.data.conll import SPAN_TAG
from babelscope.data.objectives import IGNORED

_BEGINS, _ENDS = "BSU", "ESLU"
Span = tuple[int, int, str]
"""First word, the one after the last, and the kind of span."""


def marks_spans(tags: Sequence[str]) -> bool:
    """Return whether tags mark spans: O outside of any, inside B-KIND or I-KIND (or E, S, L, U), or these letters."""
    return not odd_tags(tags) and any(tag != "O" for tag in tags)


def odd_tags(tags: Sequence[str]) -> list[str]:
    """List the tags that mark no span, where others do."""
    return [tag for tag in tags if not SPAN_TAG.fullmatch(tag)]


def spans(tags: Sequence[str]) -> Iterator[Span]:
    """Find the spans of a sentence, where a tag of the inside may begin one, as in IOB1 and in what models say."""
    start, kind, before = 0, None, "O"
    for i, tag in enumerate([*tags, "O"]):
        mark, _, own = tag.partition("-")
        if kind is not None and (mark == "O" or mark in _BEGINS or own != kind or before in _ENDS):
            yield start, i, kind
            kind = None
        if mark != "O" and kind is None:
            start, kind = i, own
        before = mark


class SpanF1(Metric):
    """Micro-averaged F1: a span counts as found where both its ends and its kind are right; 0 where there is none.

    Args:
        tags: Names of the tags, in the order of their numbers.
    """

    full_state_update = False
    correct: Tensor
    found: Tensor
    wanted: Tensor

    def __init__(self, tags: Sequence[str]):
        super().__init__()
        self.tags = tuple(tags)
        for name in ("correct", "found", "wanted"):
            self.add_state(name, default=torch.tensor(0), dist_reduce_fx="sum")

    def update(self, predictions: Tensor, targets: Tensor) -> None:
        """Count the spans of a batch: numbers of tags (B, T), of which those with the target `IGNORED` are no words."""
        for guesses, own in zip(predictions.tolist(), targets.tolist(), strict=True):
            words = [i for i, target in enumerate(own) if target != IGNORED]
            said, right = (set(spans([self.tags[numbers[i]] for i in words])) for numbers in (guesses, own))
            self.correct += len(said & right)
            self.found += len(said)
            self.wanted += len(right)

    def compute(self) -> Tensor:
        """Return F1."""
        return 2 * self.correct / torch.clamp(self.found + self.wanted, min=1)

"""How well a language model predicts text of each language, by the objective that its family was pre-trained on."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from typing import Any

import torch
from torch import Tensor

from babelscope.analyses.neurons.target_losses import LOSSES
from babelscope.data.batches import Batch, batches
from babelscope.data.corpora import Corpus
from babelscope.models.parts import Parts
from babelscope.states.embed import evaluating
from babelscope.states.progress import Progress

LOGITS = 2**28
"""Most logits of one forward pass, 1 GiB in float32: a vocabulary can be far larger than a state."""


@dataclass(frozen=True)
class LanguageLosses:
    """What a model lost on n sentences in K languages; targets are tokens of the text, never ones that were added.

    Attributes:
        nll: (K, n) float64 nats, summed over the targets of a sentence.
        targets: (K, n) int64.
        bytes: (K, n) float64 UTF-8 bytes that the targets stand for: those of the whole text, times the share of its
            tokens that are targets. The share is 1 for a masked model, and for a causal one whose tokenizer begins a
            text with a token of its own; BLOOM's does not, so that the first token has nothing to be predicted from.
            Span corruption asks for some of the tokens only, and `max_length` may cut a text.
        languages: The K languages.
    """

    nll: Tensor
    targets: Tensor
    bytes: Tensor
    languages: tuple[str, ...]

    @property
    def loss(self) -> Tensor:
        """(K,) nats per target."""
        return self.nll.sum(dim=1) / self.targets.sum(dim=1)

    @property
    def perplexity(self) -> Tensor:
        """(K,) exponential of the loss; of a causal model alone it is the perplexity in the strict sense."""
        return self.loss.exp()

    @property
    def bits_per_byte(self) -> Tensor:
        """(K,) bits per UTF-8 byte: languages compare, however many tokens the tokenizer makes of their text."""
        return self.nll.sum(dim=1) / self.bytes.sum(dim=1) / log(2)


def language_losses(
    parts: Parts,
    tokenizer: Any,
    corpus: Corpus,
    *,
    max_tokens: int = 4096,
    max_length: int = 256,
    seed: int = 0,
    targets: int | None = None,
    progress: Progress[Batch] = iter,
) -> LanguageLosses:
    """Measure the loss of every sentence in every language.

    A causal model predicts each token from those before it. A masked one predicts each token from all others, masked
    in turn (pseudo-likelihood, Salazar et al. 2020). An encoder-decoder predicts what span corruption replaced.

    Args:
        parts: Of a model with a language-modelling head.
        tokenizer: Of the model.
        corpus: The sentences.
        max_tokens: Most tokens of a batch, padding included.
        max_length: Most tokens of a text, special ones included.
        seed: Of the spans, and of the tokens that are drawn; a text has the same ones every time.
        targets: Most tokens of a text that a masked model predicts; None for all.
        progress: Wraps the sequence of batches, for a progress bar.

    Raises:
        ValueError: if the model has no such head, the tokenizer lacks what the objective needs, a loss is not finite,
            or a language has nothing to predict; see `batches` for texts, max_tokens and max_length.
    """
    if parts.lm_head is None:
        raise ValueError(
            f"Expected a language model, but this {parts.family.model_type} model has no language-modelling head; "
            "load its checkpoint with head='lm'"
        )
    if parts.family.objective not in LOSSES:
        raise ValueError(
            f"Expected a language model of objective causal, masked or span, but {parts.family.model_type} was trained "
            f"otherwise, its objective is {parts.family.objective}; load a model of another family"
        )
    measure = LOSSES[parts.family.objective](parts, tokenizer, max_tokens=max_tokens, seed=seed, targets=targets)
    vocabulary = len(parts.lm_head.weight)  # type: ignore[arg-type]
    texts = [text for language in corpus.languages for text in corpus.texts[language]]
    room = min(max_tokens, max(1, LOGITS // vocabulary))
    nll = torch.zeros(len(texts), dtype=torch.float64)
    count = torch.zeros(len(texts), dtype=torch.int64)
    with evaluating(parts.model):
        for batch in progress(batches(texts, tokenizer, max_tokens=room, max_length=max_length)):
            row, losses = measure(batch)
            nll.index_add_(0, batch.index[row], losses.double())
            count += batch.index[row].bincount(minlength=len(texts))
    share = count / _count_tokens(texts, tokenizer)
    size = torch.tensor([len(text.encode()) for text in texts]) * share
    shape = (len(corpus.languages), len(corpus))
    whole = LanguageLosses(nll.view(shape), count.view(shape), size.view(shape), tuple(corpus.languages))
    _check(whole, corpus)
    return whole


def _count_tokens(texts: Sequence[str], tokenizer: Any) -> Tensor:
    """Count the tokens of whole texts (S,), without special ones."""
    ids = tokenizer(list(texts), add_special_tokens=False, return_attention_mask=False, verbose=False)["input_ids"]
    return torch.tensor([len(text) for text in ids], dtype=torch.float64)


def _check(losses: LanguageLosses, corpus: Corpus) -> None:
    for name, nll, targets in zip(losses.languages, losses.nll, losses.targets, strict=True):
        if not bool(targets.any()):
            raise ValueError(
                f"Expected something to predict in every language, but the sentences in {name} have one token each; "
                "take longer ones"
            )
        if not bool(nll.isfinite().all()):
            bad = int((~nll.isfinite()).nonzero()[0])
            raise ValueError(
                f"Expected finite losses, but that of sentence {corpus.ids[bad]!r} in {name} is not; "
                "load the model with model.dtype=float32 or bfloat16, or check that its training did not diverge."
            )

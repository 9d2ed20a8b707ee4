"""The loss of every predicted token of a batch, by each of the objectives that families were pre-trained on.

Targets are tokens of the text: what a tokenizer adds around it, and the sentinels between its spans, are not.
"""

import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers.modeling_outputs import BaseModelOutput

from babelscope.data.batches import Batch
from babelscope.data.objectives import SpanCorruption
from babelscope.models.parts import Parts

TokenLosses = Callable[[Batch], tuple[Tensor, Tensor]]
"""From a batch to the row of each of its N targets, (N,) int64, and that target's loss in nats, (N,) float32."""


def causal_losses(parts: Parts, tokenizer: Any, *, max_tokens: int, seed: int, targets: int | None) -> TokenLosses:
    """Predict every token from those before it; the first of a text only where the tokenizer puts one before it."""

    def measure(batch: Batch) -> tuple[Tensor, Tensor]:
        logits = parts.model(**_inputs(parts, batch.input_ids, batch.attention_mask)).logits
        target = batch.ordinary[:, 1:]
        return target.nonzero()[:, 0], _cross_entropy(logits[:, :-1], target, batch.input_ids[:, 1:])

    return measure


def span_losses(parts: Parts, tokenizer: Any, *, max_tokens: int, seed: int, targets: int | None) -> TokenLosses:
    """Predict the spans that T5's corruption replaces; a seed gives a text the same spans every time.

    Raises:
        ValueError: if the tokenizer has no sentinels or no end token, or nothing says what a decoder begins with.
    """
    config: Any = parts.model.config
    if getattr(config, "decoder_start_token_id", None) is None:
        # older configurations of T5 lack it, and transformers would end in an AttributeError; the first decoders began
        # with padding, as the message of its `_shift_right` says
        if config.pad_token_id is None:
            raise ValueError(
                f"Expected the {parts.family.model_type} model's config.json to say what its decoder begins with, but "
                "it has neither decoder_start_token_id nor pad_token_id; add decoder_start_token_id to it"
            )
        config.decoder_start_token_id = config.pad_token_id
    corrupt = SpanCorruption(tokenizer, seed=seed)
    added = torch.tensor([*corrupt.sentinels, corrupt.end])

    def measure(batch: Batch) -> tuple[Tensor, Tensor]:
        rows = [ids[mask.bool()].tolist() for ids, mask in zip(batch.input_ids, batch.attention_mask, strict=True)]
        made = corrupt([{"input_ids": ids} for ids in rows])
        labels = made["labels"]
        inputs = _inputs(parts, made["input_ids"], made["attention_mask"])
        logits = parts.model(**inputs, labels=labels.to(inputs["input_ids"].device)).logits
        target = (labels >= 0) & ~torch.isin(labels, added)
        return target.nonzero()[:, 0], _cross_entropy(logits, target, labels)

    return measure


def masked_losses(parts: Parts, tokenizer: Any, *, max_tokens: int, seed: int, targets: int | None) -> TokenLosses:
    """Predict every token of a text from all others, masked in turn (pseudo-likelihood, Salazar et al. 2020).

    With `targets` it is no more than so many tokens of a text, drawn by the seed and the text, the same ones every
    time: each costs a pass of its own. The output layer reads the masked positions only, since a vocabulary can cost
    more than all blocks.

    Raises:
        ValueError: if the tokenizer has no mask token.
    """
    if tokenizer.mask_token_id is None:
        raise ValueError(
            "Expected a tokenizer with a mask token for the loss of a masked language model, but it has none; add one"
        )

    def predict(ids: Tensor, attended: Tensor, position: Tensor) -> Tensor:
        """Return the loss of the token at one position (B,) of every row."""
        row = torch.arange(len(ids))
        masked = ids.clone()
        masked[row, position] = tokenizer.mask_token_id
        with _only(parts.stack, position):
            logits = parts.model(**_inputs(parts, masked, attended)).logits[:, 0]
        return F.cross_entropy(logits.float(), ids[row, position].to(logits.device), reduction="none").cpu()

    def measure(batch: Batch) -> tuple[Tensor, Tensor]:
        row, position = _draw(batch, targets, seed).nonzero().unbind(1)
        lengths = batch.attention_mask.sum(dim=1)
        losses, start = [], 0
        while start < len(row):  # texts lie longest first, so the first of a portion is its longest
            width = int(lengths[row[start]])
            portion = slice(start, start + max(1, max_tokens // width))
            rows = row[portion]
            losses.append(predict(batch.input_ids[rows, :width], batch.attention_mask[rows, :width], position[portion]))
            start = portion.stop
        return row, torch.cat(losses)

    return measure


@contextmanager
def _only(stack: nn.Module, position: Tensor) -> Iterator[None]:
    """Let the head read one position (B,) of every row: it gets (B, 1, D)."""

    def pick(module: nn.Module, args: Any, output: Any) -> BaseModelOutput:
        hidden = output.last_hidden_state
        row = torch.arange(len(hidden), device=hidden.device)
        return BaseModelOutput(last_hidden_state=hidden[row, position.to(hidden.device)].unsqueeze(1))

    with stack.register_forward_hook(pick):
        yield


def _draw(batch: Batch, targets: int | None, seed: int) -> Tensor:
    """Keep at most so many ordinary tokens of every text: (B, T) bool."""
    if targets is None:
        return batch.ordinary
    kept = torch.zeros_like(batch.ordinary)
    for row, ids, ordinary in zip(kept, batch.input_ids, batch.ordinary, strict=True):
        places = ordinary.nonzero().flatten()
        generator = torch.Generator().manual_seed(seed + zlib.crc32(repr(ids[places].tolist()).encode()))
        row[places[torch.randperm(len(places), generator=generator)[:targets]]] = True
    return kept


LOSSES = {"causal": causal_losses, "masked": masked_losses, "span": span_losses}
"""By the objective of a family."""


def _inputs(parts: Parts, ids: Tensor, attended: Tensor) -> dict[str, Any]:
    return {"input_ids": ids.to(parts.device), "attention_mask": attended.to(parts.device), "use_cache": False}


def _cross_entropy(logits: Tensor, target: Tensor, labels: Tensor) -> Tensor:
    """Return the loss of the targets: logits (B, T, V), target (B, T) bool, labels (B, T)."""
    chosen = logits[target.to(logits.device)].float()
    return F.cross_entropy(chosen, labels[target].to(logits.device), reduction="none").cpu()

"""Collators: examples in, padded batches with the labels of a training objective out."""

import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Generator, Tensor
from transformers import DataCollatorForLanguageModeling, PreTrainedTokenizerBase

from babelscope.data.encoding import attention_mask, count_added, pad, pad_id
from babelscope.data.spans import corrupt, find_sentinels

Example = Mapping[str, Any]
"""``input_ids``: the tokens of a text, special ones included; ``labels``: the number of its class, if it has one;
``token_type_ids``: which text of a pair each token is in, for models with segment embeddings."""
Collator = Callable[[Sequence[Example]], dict[str, Tensor]]
IGNORED = -100
"""Label of positions that the losses of Hugging Face models leave out."""


class Classification:
    """Pads texts (B, T) and stacks their class numbers (B,)."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase):
        self.pad_id = pad_id(tokenizer)

    def __call__(self, examples: Sequence[Example]) -> dict[str, Tensor]:
        """Batch examples with a label each."""
        rows = [example["input_ids"] for example in examples]
        labels = torch.tensor([example["labels"] for example in examples], dtype=torch.long)
        batch = {"input_ids": pad(rows, self.pad_id), "attention_mask": attention_mask(rows), "labels": labels}
        if "token_type_ids" in examples[0]:
            batch["token_type_ids"] = pad([example["token_type_ids"] for example in examples], 0)
        return batch


class MaskedTokens:
    """Masks 15 per cent of the ordinary tokens (Devlin et al. 2019); every batch has at least one masked token.

    Args:
        tokenizer: with a mask token.
        seed: None masks afresh every time; a number masks a given batch always in the same way.
        probability: that a token is masked.

    Raises:
        ValueError: if the tokenizer has no mask token.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, *, seed: int | None = None, probability: float = 0.15):
        if tokenizer.mask_token is None:
            raise ValueError(
                "Expected a tokenizer with a mask token for masked language modelling, but it has none; "
                "add one, or choose a model of another objective"
            )
        self.mask = DataCollatorForLanguageModeling(tokenizer=tokenizer, mlm_probability=probability)
        self.pad_id = pad_id(tokenizer)
        self.before, self.after = count_added(tokenizer)
        self.seed = seed

    def __call__(self, examples: Sequence[Example]) -> dict[str, Tensor]:
        """Batch examples with some tokens masked; labels are the masked tokens."""
        rows = [example["input_ids"] for example in examples]
        ids = pad(rows, self.pad_id)
        column = torch.arange(ids.shape[1])
        lengths = torch.tensor([len(row) for row in rows])[:, None]
        special = (column < self.before) | (column >= lengths - self.after)
        if bool(special.all()):
            raise ValueError("Expected a text with ordinary tokens to mask, but got a batch of special tokens only")
        self.mask.generator = _generator(self.seed, rows)
        masked, labels = self.mask.torch_mask_tokens(ids.clone(), special_tokens_mask=special)
        while bool((labels == IGNORED).all()):  # the mean loss over no token is NaN
            masked, labels = self.mask.torch_mask_tokens(ids.clone(), special_tokens_mask=special)
        return {"input_ids": masked, "attention_mask": attention_mask(rows), "labels": labels}


class NextToken:
    """Predicts every token from those before it; padding is left out even where it has the id of the end token.

    The model shifts the labels (B, T) by itself and has nothing to predict the first token from.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, *, seed: int | None = None):
        self.pad_id = pad_id(tokenizer)

    def __call__(self, examples: Sequence[Example]) -> dict[str, Tensor]:
        """Batch examples."""
        rows = [example["input_ids"] for example in examples]
        if all(len(row) < 2 for row in rows):
            raise ValueError("Expected a text of at least 2 tokens to predict, but got a batch of 1 token each")
        labels = pad([[IGNORED, *row[1:]] for row in rows], IGNORED)
        return {"input_ids": pad(rows, self.pad_id), "attention_mask": attention_mask(rows), "labels": labels}


class SpanCorruption:
    """Replaces spans of a text by sentinels and asks the decoder for them; both ends with the end token.

    Args:
        tokenizer: with sentinels and an end token.
        seed: None corrupts afresh every time; a number corrupts a given text always in the same way.

    Raises:
        ValueError: if the tokenizer lacks them.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, *, seed: int | None = None):
        if tokenizer.eos_token_id is None:
            raise ValueError("Expected a tokenizer with an end token for span corruption, but it has none; add one")
        self.sentinels = find_sentinels(tokenizer)
        self.end = int(tokenizer.eos_token_id)
        self.pad_id = pad_id(tokenizer)
        self.before, self.after = count_added(tokenizer)
        self.seed = seed

    def __call__(self, examples: Sequence[Example]) -> dict[str, Tensor]:
        """Batch examples with some spans replaced; labels are what the decoder should say."""
        inputs, targets = [], []
        for example in examples:
            ids = list(example["input_ids"])
            end = len(ids) - self.after
            generator = _generator(self.seed, [ids])
            corrupted, target = corrupt(ids[self.before : end], self.sentinels, generator=generator)
            inputs.append([*ids[: self.before], *corrupted, *ids[end:]])
            targets.append([*target, self.end])
        return {
            "input_ids": pad(inputs, self.pad_id),
            "attention_mask": attention_mask(inputs),
            "labels": pad(targets, IGNORED),
        }


OBJECTIVES: dict[str, Callable[..., Collator]] = {"masked": MaskedTokens, "span": SpanCorruption, "causal": NextToken}


def collator_for(objective: str, tokenizer: PreTrainedTokenizerBase, *, seed: int | None = None) -> Collator:
    """Make the collator of a family's language modelling objective: masked, span or causal.

    Args:
        objective: of the model's family.
        tokenizer: of the model.
        seed: None for training; a number for validation and test, so that losses of different epochs compare.

    Raises:
        ValueError: if the objective is unknown, or the tokenizer lacks what it needs.
    """
    if objective not in OBJECTIVES:
        raise ValueError(f"Expected `objective` to be one of {', '.join(OBJECTIVES)}, but got {objective!r}")
    return OBJECTIVES[objective](tokenizer, seed=seed)


def _generator(seed: int | None, rows: Sequence[Sequence[int]]) -> Generator | None:
    """Return a generator that depends on the seed and the tokens only, or None for torch's global one."""
    return None if seed is None else Generator().manual_seed(seed + zlib.crc32(repr(list(map(list, rows))).encode()))

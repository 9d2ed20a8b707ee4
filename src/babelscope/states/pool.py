"""From token states to one vector per sentence: functions of (hidden, attended, ordinary).

Every function takes `hidden` (B, T, D) in any dtype, `attended` (B, T) bool (every real token) and `ordinary` (B, T)
bool (real tokens that are not special), and returns (B, D) in float32. Masked positions never reach the sum. They are
left out by selection, not multiplied by zero, because padding may hold NaN and 0 * NaN is NaN.
"""

from collections.abc import Callable

import torch
from torch import Tensor

Pool = Callable[[Tensor, Tensor, Tensor], Tensor]


def pooled(pool: Pool, hidden: Tensor, attended: Tensor, ordinary: Tensor) -> Tensor:
    """Pool with a function that may be user-supplied, and check its result.

    Raises:
        ValueError: if it is not a function, or does not return one float32 vector (D,) per sentence.
    """
    if not callable(pool):
        raise ValueError(
            f"Expected argument `pool` to be a function of (hidden, attended, ordinary), but got {pool!r}; pass one "
            f"of babelscope.states.pool, such as mean"
        )
    vectors = pool(hidden, attended, ordinary)
    wanted = (hidden.shape[0], hidden.shape[2])
    if not isinstance(vectors, Tensor) or tuple(vectors.shape) != wanted or vectors.dtype != torch.float32:
        got = (
            f"{vectors.dtype} of shape {tuple(vectors.shape)}"
            if isinstance(vectors, Tensor)
            else type(vectors).__name__
        )
        raise ValueError(
            f"Expected argument `pool` to give a float32 tensor of one vector per sentence, {wanted}, but got {got}; "
            f"reduce the tokens alone, and call .float()"
        )
    return vectors


def mean(hidden: Tensor, attended: Tensor, ordinary: Tensor) -> Tensor:
    """Average the ordinary tokens: special tokens carry massive activations in some families (the default)."""
    return _average(hidden, ordinary.float())


def published(hidden: Tensor, attended: Tensor, ordinary: Tensor) -> Tensor:
    """Average all attended tokens, special ones too: the choice of Wilie et al. 2025 in their published code."""
    return _average(hidden, attended.float())


def weighted(hidden: Tensor, attended: Tensor, ordinary: Tensor) -> Tensor:
    """Average the ordinary tokens weighted by position 1..T, as MEXA does for causal models."""
    return _average(hidden, ordinary.cumsum(dim=1).float() * ordinary)


def last(hidden: Tensor, attended: Tensor, ordinary: Tensor) -> Tensor:
    """Take the last ordinary token, by mask and never by position -1."""
    positions = torch.arange(ordinary.shape[1], device=ordinary.device)
    return _take(hidden, (positions * ordinary).argmax(dim=1))


def first(hidden: Tensor, attended: Tensor, ordinary: Tensor) -> Tensor:
    """Take the first attended token: the classification token of encoders that have one."""
    return _take(hidden, attended.int().argmax(dim=1))


def _average(hidden: Tensor, weight: Tensor) -> Tensor:
    kept = hidden.to(torch.float32, copy=True)
    if kept.is_cpu:
        # index the few masked rows: a third of the time of a mask as wide as the states
        kept.flatten(0, 1).index_fill_(0, (weight == 0).flatten().nonzero().squeeze(1), 0.0)
    else:
        kept.masked_fill_((weight == 0).unsqueeze(2), 0.0)  # counting them would wait for the GPU
    return (weight.unsqueeze(1) @ kept).squeeze(1) / weight.sum(dim=1, keepdim=True)


def _take(hidden: Tensor, position: Tensor) -> Tensor:
    return hidden[torch.arange(len(hidden), device=hidden.device), position].float()

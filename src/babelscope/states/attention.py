"""Attention in bfloat16 as plain products, where torch's own kernel is slow, with the same numbers up to rounding.

torch's kernel for the CPU multiplies in bits of 32 queries, too small for the instructions that it asks for. Products
over several sentences at once, whose scores stay in the processor's cache, take two thirds of its time. As there,
scores are float32, and shares are rounded to bfloat16 before they meet the values.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from torch.overrides import TorchFunctionMode

from babelscope.metrics.hardware import prefers_plain_attention

LENGTHS = range(8, 513)
"""Tokens of a text, for which this was measured to be faster."""
SCORES = 2**19
"""Scores held at once, or those of one text: two megabytes in float32."""

LEAST = torch.finfo(torch.float32).min
"""What hides a key: not minus infinity, which gives no number where none may be seen."""


@contextmanager
def fast_attention(stack: nn.Module) -> Iterator[None]:
    """Let attention on the CPU use the fastest routine, within the `with` and without gradients.

    What is chosen hangs on processor, dtype, and shapes alone, never on a clock. A token that may look at none gets the
    mean of all values, not 0.

    Args:
        stack: The model that is run inside.
    """
    weight = next(stack.parameters())
    if weight.device.type != "cpu" or not prefers_plain_attention(weight.dtype):
        yield
        return
    with _Attention():
        yield


class _Attention(TorchFunctionMode):
    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        given = kwargs or {}
        if func is scaled_dot_product_attention and len(args) == 3 and _suits(*args, **given):
            return attend(*args, given.get("attn_mask"), scale=given.get("scale"), causal=bool(given.get("is_causal")))
        return func(*args, **given)


def _suits(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> bool:
    given = (q, k, v) if attn_mask is None else (q, k, v, attn_mask)
    return (
        q.ndim == k.ndim == v.ndim == 4
        and k.shape[2] in LENGTHS
        and q.numel() > 0
        and q.shape[:2] == k.shape[:2] == v.shape[:2]  # one head of keys for each of queries
        and q.dtype == k.dtype == v.dtype
        and prefers_plain_attention(q.dtype)
        and all(t.is_cpu and type(t) is Tensor for t in given)
        and not dropout_p
        and not enable_gqa
        and not (is_causal and attn_mask is not None)
        and not torch.is_grad_enabled()
        and not torch.is_autocast_enabled("cpu")
    )


def attend(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None, *, scale: float | None = None, causal: bool = False
) -> Tensor:
    """Compute attention.

    Args:
        q: Queries (B, H, T, D).
        k: Keys (B, H, S, D).
        v: Values (B, H, S, E).
        mask: Of a shape that broadcasts to (B, H, T, S): where to look, or what to add to scores.
        scale: Of scores; by default the inverse root of D.
        causal: Whether query t sees keys up to t alone.

    Returns:
        Values (B, H, T, E).
    """
    (batch, heads, queries, width), keys = q.shape, k.shape[2]
    if causal:
        mask = torch.ones(queries, keys, dtype=torch.bool).tril()
    bias = _bias(mask).expand(batch, -1, -1, -1)
    factor = width**-0.5 if scale is None else scale
    found = q.new_empty(batch, queries, heads, v.shape[3]).transpose(1, 2)  # heads side by side, as models want them
    texts = max(1, SCORES // (heads * queries * keys))
    for *some, part in zip(*(x.split(texts) for x in (q, k, v, bias, found)), strict=True):
        part.copy_(_attend(*some, scale=factor))
    return found


def _attend(q: Tensor, k: Tensor, v: Tensor, bias: Tensor, *, scale: float) -> Tensor:
    left, right = (x.to(torch.float32, memory_format=torch.contiguous_format).flatten(0, 1) for x in (q, k))
    scores = torch.bmm(left * scale, right.mT)
    bias = bias.float().clamp_min(LEAST)  # here, where it stays in cache: it may be as large as the scores
    shares = scores.view(*q.shape[:3], -1).add_(bias).softmax(-1)
    return torch.bmm(shares.to(v.dtype).view_as(scores), v.flatten(0, 1)).view(*q.shape[:3], -1)


def _bias(mask: Tensor | None) -> Tensor:
    """Make of a mask what is added to scores, of four dimensions."""
    if mask is None:
        return torch.zeros(1, 1, 1, 1)
    if mask.dtype == torch.bool:
        mask = torch.zeros(mask.shape).masked_fill_(mask.logical_not(), LEAST)
    return mask.view((1,) * (4 - mask.ndim) + mask.shape)

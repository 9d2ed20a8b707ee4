"""Linear layers by the fastest routine that this processor has for them, with the same numbers up to rounding.

On AMD processors with 512-bit instructions, torch multiplies float32 matrices by MKL, which takes twice as long as
oneDNN, which torch also contains. In bfloat16 torch uses oneDNN itself, but reorders the weights at every call. Both
costs are avoided with the operators that `torch.compile` uses for a linear layer. Nothing is compiled, so no hook is
bypassed.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from babelscope.metrics.hardware import prefers_onednn

MAX_PACKED_BYTES = 2**30
"""Bytes of weights that may be held a second time, in oneDNN's order; a larger model's weights are not copied."""
ROWS = 1024
"""Number of rows for which weights are reordered. Any number is correct; a constant keeps batches independent."""


@contextmanager
def fast_linear(stack: nn.Module) -> Iterator[None]:
    """Let linear layers on the CPU use the fastest routine, within the `with` and without gradients.

    The choice depends only on processor, dtype and model, never on timing, so the same machine gives the same bits.
    Weights must not change inside the `with`.

    Args:
        stack: The model that is run inside; its size decides whether weights are packed.
    """
    size = sum(module.weight.nbytes for module in stack.modules() if isinstance(module, nn.Linear))
    with _Linear(pack=size <= MAX_PACKED_BYTES):
        yield


class _Linear(TorchFunctionMode):
    def __init__(self, *, pack: bool):
        super().__init__()
        self.pack = pack
        self.packed: dict[int, tuple[Tensor, Tensor]] = {}
        """By the id of a weight: the weight (kept alive so that the id stays unique) and its copy in oneDNN's order."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func is nn.functional.linear and not kwargs and len(args) == 3 and _suits(*args):
            x, weight, bias = args
            return torch.ops.mkldnn._linear_pointwise(x, self._packed(weight), bias, "none", [], "")
        return func(*args, **(kwargs or {}))

    def _packed(self, weight: Tensor) -> Tensor:
        # In float32 packing is no faster; a weight that is computed at every call would be packed at every call.
        if not self.pack or weight.dtype != torch.bfloat16 or not isinstance(weight, nn.Parameter):
            return weight
        if id(weight) not in self.packed:
            self.packed[id(weight)] = weight, torch.ops.mkldnn._reorder_linear_weight(weight.detach(), ROWS)
        return self.packed[id(weight)][1]


def _suits(x: Tensor, weight: Tensor, bias: Tensor | None) -> bool:
    given = (x, weight) if bias is None else (x, weight, bias)
    return (
        prefers_onednn(weight.dtype)
        and x.ndim > 1
        and x.numel() > 0
        and x.is_contiguous()
        and weight.ndim == 2
        and weight.is_contiguous()
        and all(type(t) in (Tensor, nn.Parameter) and t.is_cpu and t.dtype == weight.dtype for t in given)
        and not torch.is_grad_enabled()
        and not torch.is_autocast_enabled("cpu")
    )

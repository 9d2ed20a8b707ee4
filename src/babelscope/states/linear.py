"""Linear layers by the fastest routine that this processor has for them, with the same numbers up to rounding.

On AMD's processors torch multiplies float32 matrices by MKL, which takes twice as long there as oneDNN,
which torch has as well, where there are 512-bit instructions. In bfloat16 torch takes oneDNN itself, but brings the
weights into its order anew at every call. Both are reached by what `torch.compile` calls for a linear layer, without
compiling anything: no hook is passed by.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from babelscope.metrics.hardware import prefers_onednn

MOST = 2**30
"""Bytes of weights that may be held a second time, in oneDNN's order; those of a larger model stay as they are."""
ROWS = 1024
"""Rows that the order is made for; any number is right. One constant, so that no batch changes another's numbers."""


@contextmanager
def fast_linear(stack: nn.Module) -> Iterator[None]:
    """Let linear layers on the CPU use the fastest routine, within the `with` and without gradients.

    What is chosen hangs on processor, dtype and model alone, never on a clock: the same machine gives the same bits.
    Weights must not change inside the `with`.

    Args:
        stack: The model that is run inside, which bounds how much is packed.
    """
    size = sum(module.weight.nbytes for module in stack.modules() if isinstance(module, nn.Linear))
    with _Linear(pack=size <= MOST):
        yield


class _Linear(TorchFunctionMode):
    def __init__(self, *, pack: bool):
        super().__init__()
        self.pack = pack
        self.packed: dict[int, tuple[Tensor, Tensor]] = {}
        """By the id of a weight: the weight, so that its id stays its own, and its copy in oneDNN's order."""

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

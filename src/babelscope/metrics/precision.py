"""Full-precision float32 matrix products, whatever reduced precision the surrounding training allows."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from babelscope.metrics.hardware import prefers_onednn


@contextmanager
def full_precision(device: torch.device) -> Iterator[None]:
    """Multiply float32 matrices in float32, without TF32, bf16 products or autocast; restore the settings afterwards.

    Products of bfloat16 matrices are summed in float32.
    """
    backends = (torch.backends.cuda.matmul, torch.backends.mkldnn.matmul)  # type: ignore[attr-defined]
    # Products obey the per-backend settings; the older global call raises once these have been set.
    before = [backend.fp32_precision for backend in backends]
    reduced = torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction
    try:
        for backend in backends:
            backend.fp32_precision = "ieee"
        torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = False
        with torch.autocast(device.type, enabled=False):
            yield
    finally:
        torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = reduced
        for backend, value in zip(backends, before, strict=True):
            backend.fp32_precision = value


def multiply(left: Tensor, right: Tensor, out: Tensor) -> None:
    """Write left (B, W) @ right (C, W).T to out (B, C), all bfloat16 or all float32, with sums in float32.

    Call it within `full_precision`.
    """
    if _takes_onednn(left):
        out.copy_(product(left, right))
    else:
        torch.mm(left, right.T, out=out)


def product(left: Tensor, right: Tensor) -> Tensor:
    """Return left (B, W) @ right (C, W).T, both float32 and contiguous, by the fastest available routine.

    Call it within `full_precision`.
    """
    if _takes_onednn(left):
        return torch.ops.mkldnn._linear_pointwise(left, right, None, "none", [], "")
    return left @ right.T


def _takes_onednn(x: Tensor) -> bool:
    return x.device.type == "cpu" and x.dtype == torch.float32 and prefers_onednn(x.dtype)

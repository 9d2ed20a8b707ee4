"""How this machine multiplies fastest; all kernels ask here for its capabilities."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch

SMALL = 2**24
"""Number of multiplications in a product up to which threads save at most a fifth of its time."""


@contextmanager
def threads_for(multiplications: int) -> Iterator[None]:
    """Use one thread for a series of small products, then restore the former number of threads.

    Threads wait for each other after each product. If other work occupies one of their cores, the wait costs several
    times what threads save.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1 if multiplications <= SMALL else before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def product_type(device: torch.device) -> torch.dtype:
    """Return the type in which `device` multiplies matrices fastest with sums in float32: bfloat16 or float32.

    bfloat16 on a processor with AMX, on one of AMD's with AVX-512 BF16, and on a CUDA GPU with native bf16 (compute
    capability 8.0 or later); float32 elsewhere. The processor itself is asked, because oneDNN also emulates bf16 where
    it is slow. The number of threads speeds both types up alike and does not matter here. Callers must not let the
    choice affect their results.
    """
    if device.type == "cuda":
        native = torch.cuda.get_device_capability(device) >= (8, 0) and torch.version.hip is None
        return torch.bfloat16 if native else torch.float32
    if device.type == "cpu" and torch.backends.mkldnn.is_available() and torch.backends.mkldnn.enabled:
        return torch.bfloat16 if _gains_by_bf16(torch.cpu.get_capabilities()) else torch.float32
    return torch.float32


def prefers_onednn(dtype: torch.dtype) -> bool:
    """Return whether oneDNN's own routine multiplies matrices of a type faster here than torch's default.

    In float32 torch uses MKL, which uses only half the width of an AMD processor's vectors: on Zen 5, oneDNN takes half
    the time. In bfloat16 torch uses oneDNN itself, but reorders the weights at every call.
    """
    return bool(torch.backends.mkldnn.enabled) and _gains_by_onednn(dtype)


@cache
def _gains_by_onednn(dtype: torch.dtype) -> bool:
    if not torch.backends.mkldnn.is_available() or not hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        return False
    capabilities = torch.cpu.get_capabilities()
    if dtype == torch.bfloat16:
        return _has_bf16(capabilities)
    wide = _is_amd(capabilities) and bool(capabilities.get("avx512_f"))
    return dtype == torch.float32 and torch.backends.mkl.is_available() and wide


def _gains_by_bf16(capabilities: Mapping[str, Any]) -> bool:
    """Return whether the processor multiplies faster in bfloat16 than in float32.

    Intel's AVX-512 BF16 takes twice the numbers per instruction, but runs half as many of them.
    """
    return bool(capabilities.get("amx_bf16") or (capabilities.get("avx512_bf16") and _is_amd(capabilities)))


def _is_amd(capabilities: Mapping[str, Any]) -> bool:
    return "AMD" in str(capabilities.get("cpu_name"))


def _has_bf16(capabilities: Mapping[str, Any]) -> bool:
    """Return whether the processor has instructions for bfloat16: AVX-512 BF16 or AMX."""
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))

"""Tensors that say they are on a GPU, on a machine without one: whatever mixes devices fails as it would there.

The numbers are computed on the CPU, so this tells nothing of a GPU's kernels, only where tensors are.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

GPU = torch.device("cuda:0")
CROSSING = ("aten::copy_", "aten::_to_copy")
INDEXING = ("aten::index", "aten::index_put_", "aten::index_put", "aten::_index_put_impl_", "aten::_unsafe_index")
"""Take indices from the CPU, too."""


class Elsewhere(Tensor):
    """A tensor on the GPU that is not there."""

    here: Tensor
    device = GPU
    is_cuda, is_cpu, is_meta = True, False, False
    __torch_function__: Any = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, here: Tensor) -> "Elsewhere":
        # torch itself asks "meta" for no driver; `device` above is what Python is told
        made: Any = Tensor._make_wrapper_subclass(
            cls, here.size(), here.stride(), here.storage_offset(), dtype=here.dtype, device=torch.device("meta")
        )
        made.here = here
        return made

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return run(func, args, kwargs or {})

    def tolist(self) -> Any:
        return self.here.tolist()

    def new_tensor(self, data, **options):
        return Elsewhere(self.here.new_tensor(data, **options))

    def numpy(self, **_: Any) -> Any:
        raise TypeError("can't convert cuda:0 device type tensor to numpy")

    def __repr__(self):
        return f"Elsewhere({self.here!r})"


def _here(value: Any) -> Any:
    return tree_map(lambda x: x.here if isinstance(x, Elsewhere) else x, value)


class _Mode(TorchDispatchMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return run(func, args, kwargs or {})


def run(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """Run an operation on the CPU, and give its results where a GPU would have them."""
    name = func._schema.name
    flat = tree_flatten((args, kwargs))[0]
    away = [x for x in flat if isinstance(x, Elsewhere)]
    home = [x for x in flat if isinstance(x, Tensor) and not isinstance(x, Elsewhere) and x.ndim]
    device = kwargs.get("device")
    target = torch.device(device) if device is not None else (GPU if away else torch.device("cpu"))
    if away and home and name not in (*CROSSING, *INDEXING):
        raise RuntimeError(f"Expected all tensors to be on the same device, but {name} got cuda:0 and cpu")
    if name in INDEXING and away and not isinstance(args[0], Elsewhere):
        raise RuntimeError(f"indices should be on the cpu, as the indexed tensor is, but {name} got cuda:0")
    if target.type != "cpu" and isinstance(kwargs.get("generator"), torch.Generator):
        raise RuntimeError(f"Expected a 'cuda' device type for generator, but {name} got 'cpu'")
    if name == "aten::copy_" and not isinstance(args[0], Elsewhere):
        target = torch.device("cpu")
    known = {id(x.here): x for x in away}
    args, kwargs = _here((args, kwargs))
    if device is not None:
        kwargs = {**kwargs, "device": "cpu"}

    def place(x: Any) -> Any:
        if not isinstance(x, Tensor) or target.type == "cpu":
            return x
        return known[id(x)] if id(x) in known else Elsewhere(x)

    if name == "aten::sqrt":  # rounded to the nearest number on every GPU, but not on every CPU
        return place(torch.from_numpy(np.sqrt(args[0].numpy())))
    return tree_map(place, func(*args, **kwargs))


@contextmanager
def pretended(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let `device="cuda"` be understood within the `with`."""
    made = torch.tensor

    def tensor(data: Any, *, device: Any = None, **options: Any) -> Tensor:
        x = made(data, **options)
        return x if device is None or torch.device(device).type == "cpu" else Elsewhere(x)

    with monkeypatch.context() as patch, _Mode():
        patch.setattr(torch.cuda, "_lazy_init", lambda: None)
        patch.setattr(torch, "tensor", tensor)
        patch.setattr(torch.cuda, "get_device_capability", lambda _: (9, 0))
        yield

"""Tensors to a GPU and back without waiting for it; on a CPU the same calls do nothing."""

import torch
from torch import Tensor


def send(x: Tensor, device: torch.device) -> Tensor:
    """Start copying a CPU tensor to a device; whatever runs there next waits for it."""
    if device.type != "cuda":
        return x.to(device)
    return x.pin_memory().to(device, non_blocking=True)


class Return:
    """A tensor on its way to the CPU.

    Args:
        x: Where it was computed; nothing else may write to it.
    """

    def __init__(self, x: Tensor):
        self.arrived: torch.cuda.Event | None = None
        self.x = x
        if x.is_cuda:
            self.x = torch.empty(x.shape, dtype=x.dtype, pin_memory=True).copy_(x, non_blocking=True)
            self.arrived = torch.cuda.Event()
            self.arrived.record(torch.cuda.current_stream(x.device))

    def wait(self) -> Tensor:
        """Return the tensor once it has arrived."""
        if self.arrived is not None:
            self.arrived.synchronize()
        return self.x.cpu()

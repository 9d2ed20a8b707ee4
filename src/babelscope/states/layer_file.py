"""One layer on disk: a NumPy file (S, D) of float32, row by row, written by points and read by columns."""

import io
import os
from pathlib import Path

import numpy as np
import torch
from torch import Tensor


class LayerFile:
    """An existing file; nothing of it is kept in memory.

    Args:
        file: In NumPy's own format.
    """

    def __init__(self, file: Path):
        header = np.load(file, mmap_mode="r")
        self.file, self.shape, self.start = file, (header.shape[0], header.shape[1]), header.offset

    def put(self, index: Tensor, vectors: Tensor) -> None:
        """Write the vectors (B, D) of some points (B,)."""
        rows = vectors.float().numpy()
        with self.file.open("r+b") as whole:
            for i, row in zip(index.tolist(), rows, strict=True):
                whole.seek(self.start + i * row.nbytes)
                whole.write(row.data)

    def columns(self, start: int, stop: int) -> Tensor:
        """Read columns `start` to `stop` of all points: (S, stop - start) float32.

        Raises:
            OSError: if the file ends too early.
        """
        points, width = self.shape
        block = torch.empty(points, stop - start)
        # a whole layer is contiguous; unbuffered, because a buffer would hold it a second time
        pieces = block.numpy().reshape((1, -1) if stop - start == width else block.shape)
        with self.file.open("rb", buffering=0) as whole:
            for i, piece in enumerate(pieces):
                whole.seek(self.start + 4 * (i * width + start))
                if not _fill(whole, piece):
                    raise OSError(
                        f"Expected {self.shape} numbers in {self.file}, but it ends early; remove its folder."
                    )
        return block


def _fill(file: io.FileIO, numbers: np.ndarray) -> bool:
    """Read until all numbers are there, because the system returns at most 2 GiB per call."""
    rest = numbers.data.cast("B")
    while rest and (count := file.readinto(rest)):
        rest = rest[count:]
    return not rest


def create(file: Path, shape: tuple[int, int]) -> LayerFile:
    """Make a file of zeros.

    Raises:
        OSError: if the disk has no room for the whole file; this is found before anything slow is done.
    """
    np.lib.format.open_memmap(file, mode="w+", dtype=np.float32, shape=shape)
    with file.open("r+b") as whole:
        if hasattr(os, "posix_fallocate"):  # not on macOS
            os.posix_fallocate(whole.fileno(), 0, file.stat().st_size)
    return LayerFile(file)

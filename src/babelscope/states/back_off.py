"""Batches in pieces that fit: into the processor's cache by calculation, into available memory by trial."""

import logging
from collections.abc import Callable, Iterator
from typing import TypeVar

import torch

from babelscope.data.batches import Batch

logger = logging.getLogger(__name__)
Result = TypeVar("Result")


class BackOff:
    """Runs batches whole until one does not fit into memory, then halves it and continues with the size that fitted.

    Since the longest texts come first, the size settles at once. A piece is what a batch would be under a smaller
    `max_tokens`, so results are the same up to rounding.

    Args:
        room: Most positions of a piece from the start; None for as many as the batch has.
    """

    def __init__(self, room: int | None = None):
        self.room = room
        self.refused = 0
        """Positions of the smallest piece that did not fit; 0 where all did."""

    def run(self, batch: Batch, forward: Callable[[Batch], Result]) -> Iterator[tuple[Batch, Result]]:
        """Yield the pieces of a batch in their order, each with what `forward` gives for it.

        Args:
            batch: Of tokens.
            forward: Called once per piece that fits; it must keep nothing from a call that raises.

        Raises:
            ValueError: if a single text does not fit.
        """
        start, end = 0, len(batch.index)
        while start < end:
            piece = batch.rows(start, end if self.room is None else start + max(1, self.room // batch.width))
            result = _try(forward, piece)
            if result is None:
                self._halve(piece)
                continue
            yield piece, result[0]
            start += len(piece.index)

    def report(self) -> None:
        """If something did not fit, log in one line with which size the rest was run."""
        if self.refused:
            logger.warning(
                "Out of memory at %d tokens per batch; batches were reduced to %d. Set max_tokens=%d to start there.",
                self.refused,
                self.room,
                self.room,
            )

    def _halve(self, piece: Batch) -> None:
        rows = len(piece.index)
        if rows == 1:
            raise ValueError(
                f"Expected memory for one text of {piece.width} tokens, but a batch of it alone does not fit; free "
                "some, load the model with model.dtype=bfloat16, or choose a smaller model or another device."
            )
        self.refused, self.room = piece.input_ids.numel(), rows // 2 * piece.width


def _try(forward: Callable[[Batch], Result], piece: Batch) -> tuple[Result] | None:
    # by the time of this return (unlike inside the except), everything that the failed call held is freed
    try:
        return (forward(piece),)
    except (RuntimeError, MemoryError) as error:
        if not is_lack_of_memory(error):
            raise
    return None


def is_lack_of_memory(error: BaseException) -> bool:
    """Return whether an error says that a device or the host has run out of memory."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    # torch has no error class for lack of host memory, nor for that of libraries
    said = ("DefaultCPUAllocator", "can't allocate memory", "not enough memory", "out of memory", "ALLOC_FAILED")
    of_onednn = ("could not create a primitive", "could not create a memory object", "bad_alloc")
    return isinstance(error, RuntimeError) and any(words in str(error) for words in (*said, *of_onednn))

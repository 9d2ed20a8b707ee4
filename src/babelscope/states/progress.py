"""The type of what wraps a sequence, for a progress bar."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

Item = TypeVar("Item")
Progress = Callable[[Sequence[Item]], Iterable[Item]]
"""Receives all items of a loop and yields the same; `iter` for no bar."""

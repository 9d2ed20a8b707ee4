"""Seconds of our work and of its peer's, one after the other in one process."""

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import torch

Ours = TypeVar("Ours")
Theirs = TypeVar("Theirs")
Result = TypeVar("Result")


@dataclass
class Pairs(Generic[Ours, Theirs]):
    """Seconds of interleaved repetitions, and what the last ones returned."""

    our_result: Ours
    their_result: Theirs
    ours: list[float] = field(default_factory=list)
    theirs: list[float] = field(default_factory=list)


def once(work: Callable[[], Result]) -> tuple[Result, float]:
    """Do the work and give its seconds, garbage collected before, a GPU waited for on both sides."""
    gc.collect()
    _wait()
    started = time.perf_counter()
    result = work()
    _wait()
    return result, time.perf_counter() - started


def interleave(
    ours: Callable[[], Ours], theirs: Callable[[], Theirs], repeats: int, *, warm: bool = True
) -> Pairs[Ours, Theirs]:
    """Time both, one after the other; which goes first alternates.

    A warm-up is not counted; work of minutes needs none.
    """
    pairs = Pairs(ours(), theirs()) if warm and repeats > 1 else None
    for number in range(repeats):
        if number % 2:
            their_result, their_seconds = once(theirs)
            our_result, our_seconds = once(ours)
        else:
            our_result, our_seconds = once(ours)
            their_result, their_seconds = once(theirs)
        if pairs is None:
            pairs = Pairs(our_result, their_result)
        pairs.our_result, pairs.their_result = our_result, their_result
        pairs.ours.append(our_seconds)
        pairs.theirs.append(their_seconds)
    assert pairs is not None
    return pairs


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()

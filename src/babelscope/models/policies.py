"""Freezing policies: which parts of a model stay fixed while the rest is trained."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Range = tuple[int | None, int | None]


@dataclass(frozen=True, kw_only=True)
class FreezePolicy:
    """Which parts are frozen; every part that is not named trains."""

    inputs: bool = False
    """Everything before block 0: the token table, positions, an embedding norm."""
    blocks: Sequence[Range] | Range = ()
    """Half-open ranges of blocks, as [0, 8] or [[0, 4], [-2, null]]: negative numbers count from the end."""
    final_norm: bool = False
    """The norm after the last block, where there is one."""
    lm_head: bool = False
    """The language-modelling head with its transform; never a classifier."""
    decoder: Literal["train", "freeze"] = "train"
    """What happens to the decoder of an encoder-decoder; all other fields refer to its encoder."""

    def __post_init__(self) -> None:
        given: Any = self.blocks
        ranges = [given] if len(given) and all(_is_bound(bound) for bound in given) else given
        for pair in ranges:
            if isinstance(pair, int | str) or len(pair) != 2 or not all(_is_bound(bound) for bound in pair):
                raise ValueError(
                    f"Expected `freeze.blocks` to be half-open ranges of whole numbers, but got {_plain(given)}; "
                    "write [[0, 8]], or [[0, 4], [-2, null]] for the first four and the last two."
                )
        object.__setattr__(self, "blocks", tuple(tuple(pair) for pair in ranges))
        if self.decoder not in ("train", "freeze"):
            raise ValueError(f"Expected `freeze.decoder` to be train or freeze, but got {self.decoder!r}; write one.")

    def frozen_blocks(self, depth: int) -> frozenset[int]:
        """Resolve the ranges in a model of `depth` blocks.

        Raises:
            ValueError: if a range is empty or reaches beyond the blocks.
        """
        frozen: set[int] = set()
        for pair in self.blocks:
            start, end = pair  # type: ignore[misc]
            bounds = (0 if start is None else start, depth if end is None else end)
            first, stop = (bound + depth if bound < 0 else bound for bound in bounds)
            if not 0 <= first < stop <= depth:
                raise ValueError(
                    f"Expected `freeze.blocks` to be non-empty ranges within the {depth} blocks of the model, but got "
                    f"{_plain(pair)}; the end is exclusive, so the widest range is [0, {depth}]."
                )
            frozen.update(range(first, stop))
        return frozenset(frozen)


Policy = FreezePolicy | Callable[[int], FreezePolicy]
"""A policy, or a function that makes one from the number of blocks."""


def none(depth: int) -> FreezePolicy:
    """Freeze nothing."""
    return FreezePolicy()


def embeddings(depth: int, *, decoder: Literal["train", "freeze"] = "train") -> FreezePolicy:
    """Freeze everything before block 0, and with it a language-modelling head that shares the token table."""
    return FreezePolicy(inputs=True, decoder=decoder)


def early(
    depth: int,
    *,
    share: float = 0.25,
    blocks_frozen: int | None = None,
    legacy: bool = False,
    decoder: Literal["train", "freeze"] = "train",
) -> FreezePolicy:
    """Freeze the inputs, the first blocks, the final norm and the language-modelling head (Wilie et al. 2025).

    Args:
        depth: Number of blocks of the model.
        share: Share of the blocks, rounded, at least one block; the published 8 of 32 is a quarter.
        blocks_frozen: Exact number of blocks; overrides `share`.
        legacy: Freeze one block more, as the published code does, which counts the inputs as a layer.
        decoder: What happens to the decoder of an encoder-decoder.
    """
    count = _count(depth, share, blocks_frozen) + legacy
    _check_count(count, depth)
    blocks = [(0, count)] if count else ()
    return FreezePolicy(inputs=True, blocks=blocks, final_norm=True, lm_head=True, decoder=decoder)


def last(
    depth: int,
    *,
    share: float = 0.25,
    blocks_frozen: int | None = None,
    decoder: Literal["train", "freeze"] = "train",
) -> FreezePolicy:
    """Freeze the last blocks, as many as `early` does, with the final norm and the language-modelling head.

    If the head shares the token table, the table is frozen, too.
    """
    count = _count(depth, share, blocks_frozen)
    _check_count(count, depth)
    return FreezePolicy(blocks=[(-count, None)] if count else (), final_norm=True, lm_head=True, decoder=decoder)


def _count(depth: int, share: float, blocks_frozen: int | None) -> int:
    if not 0 < share <= 1:
        raise ValueError(
            f"Expected `freeze.share` to be above 0 and at most 1, but got {share}; "
            "for no block at all write freeze=embeddings, or freeze.blocks_frozen=0."
        )
    return max(1, round(depth * share)) if blocks_frozen is None else blocks_frozen


def _check_count(count: int, depth: int) -> None:
    if not 0 <= count <= depth:
        raise ValueError(
            f"Expected `freeze.blocks_frozen` to be between 0 and the {depth} blocks of the model, but got {count}; "
            f"the last block is number {depth - 1}, counting from 0."
        )


def _is_bound(value: object) -> bool:
    return value is None or (isinstance(value, int) and not isinstance(value, bool))


def _plain(ranges: Any) -> Any:
    """Write ranges as a configuration file would."""
    return [_plain(item) for item in ranges] if isinstance(ranges, Sequence) and not isinstance(ranges, str) else ranges

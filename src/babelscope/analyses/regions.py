"""Linguistic regions: which FFN neurons belong to which language, by whatever criterion found them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from babelscope.analyses.neurons.scores import check_threshold

TIE = 1e-5
"""What z must exceed the threshold by: rounding decides no tie, such as that of two languages among ten at 2.0."""


@dataclass(frozen=True)
class Regions:
    """The key neurons of K languages in one model of L blocks with F neurons each.

    Raises:
        ValueError: if there is no language, or a mask is not boolean or of another shape than the first one.
    """

    masks: Mapping[str, Tensor]
    """(L, F) bool of each language, in order; row i - 1 is block "i"."""
    criterion: str
    """How they were found: "z", "lape", "published"; the metrics' names start with it."""
    reading: str
    """Which activations it looked at: "down_input" or "gate"."""
    weights: str = ""
    """Hash of the model's weights; empty where it is not known."""
    model: str = ""
    """The model's name; empty where it is not known."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The criterion's settings, as JSON can hold them."""

    def __post_init__(self) -> None:
        if not self.masks:
            raise ValueError("Expected argument `masks` to hold at least one language, but got none; add languages")
        first = next(iter(self.masks.values()))
        for language, mask in self.masks.items():
            if mask.dtype != torch.bool or mask.ndim != 2 or 0 in mask.shape or mask.shape != first.shape:
                raise ValueError(
                    f"Expected argument `masks` to hold non-empty bool tensors of one shape (L, F), but got "
                    f"{mask.dtype} of shape {tuple(mask.shape)} for {language} beside {tuple(first.shape)}; "
                    f"give masks of one model"
                )

    @property
    def languages(self) -> tuple[str, ...]:
        """The K language codes, in order."""
        return tuple(self.masks)

    @property
    def shape(self) -> tuple[int, int]:
        """Blocks and neurons per block, (L, F)."""
        blocks, neurons = next(iter(self.masks.values())).shape
        return blocks, neurons

    @property
    def counts(self) -> Tensor:
        """(K, L) int64 neurons of each language in each block."""
        return torch.stack([mask.sum(1) for mask in self.masks.values()])

    @property
    def empty(self) -> tuple[str, ...]:
        """The languages without a single neuron."""
        return tuple(language for language, mask in self.masks.items() if not bool(mask.any()))


def z_regions(
    z: Iterable[tuple[str, Tensor]],
    languages: Sequence[str],
    *,
    threshold: float = 2.0,
    reading: str = "down_input",
    weights: str = "",
    model: str = "",
) -> Regions:
    """Give each language the neurons whose z-score is above the threshold (S3's rule), one block at a time.

    Args:
        z: Name and z-scores (K, F) of every block, from "1" on, as `neurons.scores.z_scores` returns them.
        languages: The K codes.
        threshold: What z must exceed.
        reading: Which activations were scored.
        weights: Hash of the model's weights.
        model: Its name.

    Raises:
        ValueError: if no z can exceed the threshold, a language is named twice, blocks are missing, out of order, of
            different sizes or not of K rows, or a score is not a number.
    """
    check_threshold(threshold, len(languages))
    if len(set(languages)) != len(languages):
        raise ValueError(
            f"Expected argument `languages` to name every language once, but got {', '.join(languages)}; correct the "
            f"list"
        )
    above: list[Tensor] = []
    for number, (layer, scores) in enumerate(z, 1):
        wanted = (len(languages), above[0].shape[1] if above else scores.shape[-1])
        if layer != str(number) or tuple(scores.shape) != wanted:
            raise ValueError(
                f"Expected argument `z` to go through the blocks in order, with {wanted} scores each, but got block "
                f"{layer!r} of shape {tuple(scores.shape)} in place {number}; give every block once"
            )
        if bool(scores.isnan().any()):
            raise ValueError(
                f"Expected argument `z` to hold numbers, but block {layer} has nan; look for activations that are not "
                f"finite"
            )
        above.append((scores > threshold + TIE).cpu())
    if not above:
        raise ValueError("Expected argument `z` to hold at least one block, but got none; give every block once")
    masks = {language: torch.stack([block[k] for block in above]) for k, language in enumerate(languages)}
    return Regions(masks, "z", reading, weights, model, {"threshold": threshold})

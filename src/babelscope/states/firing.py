"""How often every FFN neuron is active, token by token and language by language."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from babelscope.data.batches import Batch
from babelscope.models.parts import Parts
from babelscope.states.embed import Prepared, run_batches
from babelscope.states.finite import refuse_non_finite
from babelscope.states.progress import Progress
from babelscope.states.reading import GATE, Reading


@dataclass(frozen=True)
class Firing:
    """Counts of ordinary tokens."""

    active: Mapping[str, Tensor]
    """By layer: (K, F) int64, the number of each language's tokens on which each neuron is above 0."""
    tokens: Tensor
    """All tokens of each language: (K,) int64."""
    languages: tuple[str, ...]

    @property
    def rates(self) -> Tensor:
        """Share of a language's tokens on which a neuron is active: (K, L, F) float64; 0 without tokens."""
        active = torch.stack(list(self.active.values()), dim=1)
        return active.double() / self.tokens.clamp(min=1).double()[:, None, None]


def count_firing(
    parts: Parts, prepared: Prepared, *, reading: Reading = GATE, progress: Progress[Batch] = iter
) -> Firing:
    """Run the model over all batches and count active neurons; memory does not grow with the number of sentences.

    Args:
        parts: Where the neurons of the loaded model are.
        prepared: The tokenized corpus, or one process's share of it.
        reading: The output of the activation function (Tang et al. 2024) or the input of the down-projection.
        progress: Wraps the sequence of batches, for a progress bar.

    Raises:
        ValueError: if an activation is not finite; see `record_neurons` for the rest.
    """
    languages, ids = tuple(prepared.corpus.languages), prepared.corpus.ids
    active = {
        layer: torch.zeros(len(languages), width, dtype=torch.int64) for layer, width in reading.widths(parts).items()
    }
    tokens = torch.zeros(len(languages), dtype=torch.int64)

    def reduce(layer: str, hidden: Tensor, batch: Batch) -> Tensor:
        # select, do not multiply: padding may hold NaN
        ordinary = batch.ordinary[..., None]
        finite = (hidden.isfinite() | ~ordinary).all(dim=2).all(dim=1)
        return ((hidden > 0) & ordinary).sum(dim=1).masked_fill_(~finite[:, None], -1)

    def take(layer: str, counts: Tensor, batch: Batch) -> None:
        points, row = prepared.points(batch.index)
        refuse_non_finite(counts[row, 0] >= 0, points, layer=layer, languages=languages, ids=ids)
        active[layer].index_add_(0, points // len(ids), counts[row])

    run_batches(parts, prepared.batches, reading, reduce, take, progress=progress)
    for batch in prepared.batches:
        points, row = prepared.points(batch.index)
        tokens.index_add_(0, points // len(ids), batch.ordinary.sum(dim=1)[row])
    return Firing(active, tokens, languages)

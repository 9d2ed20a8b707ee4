"""ILO and separability as torchmetrics classes; the logic is in the functions of the same names."""

from functools import partial
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from babelscope.metrics.ilo import ilo
from babelscope.metrics.sample import LayerMetric, LayerSample
from babelscope.metrics.search.points import Distance
from babelscope.metrics.separability import separability


class SampleMetric(Metric):
    """Gather a layer's points over batches and processes, then apply a layer metric; `compute` returns its mean.

    Points that a distributed sampler repeats are identified by (language, sentence) and count once.
    """

    full_state_update = False
    x: list[Tensor]
    language: list[Tensor]
    sentence: list[Tensor]

    def __init__(self, metric: LayerMetric, key: str) -> None:
        super().__init__()
        self.metric = metric
        self.key = key
        self.results: dict[str, Tensor] = {}
        """All results of the last `compute`."""
        for state in ("x", "language", "sentence"):
            self.add_state(state, default=[], dist_reduce_fx="cat")

    def update(self, x: Tensor, language: Tensor, sentence: Tensor) -> None:
        """Add states x (B, D) of a batch with their language and sentence (B,).

        Raises:
            ValueError: if shapes do not fit, or D is another than before.
        """
        shape = tuple(x.shape)
        if x.ndim != 2 or language.shape != shape[:1] or sentence.shape != shape[:1]:
            raise ValueError(
                f"Expected argument `x` of shape (B, D) with `language` and `sentence` of shape (B,), but got {shape}, "
                f"{tuple(language.shape)} and {tuple(sentence.shape)}; pool x to one state for each sentence"
            )
        before = {len(x) // len(labels) for x, labels in zip(self.x, self.language, strict=True) if len(labels)}
        if before - {shape[1]}:
            raise ValueError(
                f"Expected argument `x` to have {before.pop()} columns as before, but got {shape[1]}; use one metric "
                "for each layer, and `reset` it between models"
            )
        # Flat, because a process that saw no batch must join the gathering without knowing D.
        self.x.append(x.detach().float().flatten())
        self.language.append(language.long())
        self.sentence.append(sentence.long())

    def sync(self, *args: Any, **kwargs: Any) -> None:
        """Gather the points of all processes; a process that saw no batch contributes none."""
        for state, dtype in ((self.x, torch.float32), (self.language, torch.int64), (self.sentence, torch.int64)):
            if isinstance(state, list) and not state:
                state.append(torch.zeros(0, dtype=dtype, device=self.device))
        super().sync(*args, **kwargs)

    def compute(self) -> Tensor:
        """Return the unweighted mean over languages, and store all results in `results`.

        Raises:
            ValueError: if no points were added, or the metric refuses them.
        """
        x, language, sentence = (
            torch.cat(state) if isinstance(state, list) else state for state in (self.x, self.language, self.sentence)
        )
        if not len(language):
            raise ValueError("Expected points before `compute`, but got none; call `update` first")
        # One point per (language, sentence), in that order, whatever the batches and processes were.
        _, index = torch.stack([language, sentence], dim=1).unique(dim=0, return_inverse=True)
        index, order = index.sort(stable=True)
        order = order[torch.cat([index.new_ones(1), index.diff()]) > 0]
        sample = LayerSample(x.view(len(language), -1)[order], language[order], sentence[order])
        self.results = self.metric(sample)
        return self.results[self.key].mean()


class ILO(SampleMetric):
    """Mean Interlingual Local Overlap of the languages; see `babelscope.metrics.ilo`."""

    def __init__(self, *, k: int = 5, threshold: int = 3, distance: Distance = "cosine") -> None:
        super().__init__(partial(ilo, k=k, threshold=threshold, distance=distance), "ilo")


class Separability(SampleMetric):
    """Mean recall of the language probe; see `babelscope.metrics.separability`."""

    def __init__(self, *, folds: int = 5, C: float = 1.0, seed: int = 0) -> None:  # noqa: N803
        super().__init__(partial(separability, folds=folds, C=C, seed=seed), "separability")

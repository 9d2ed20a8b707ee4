"""Small layers are measured together by metrics that can: alone, a small layer is mostly overhead."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TypeVar

import torch
from torch import Tensor

from babelscope.metrics.sample import LayerMetric, LayerSample, function_of

MAX_NUMBERS = 2**20
"""Numbers in the states of layers that are measured together; more than this many hide the overhead alone."""

LayersMetric = Callable[[Sequence[LayerSample]], list[dict[str, Tensor]]]
"""Measures several layers of the same points at once, and returns for each what a `LayerMetric` would."""
Metric = TypeVar("Metric", bound=LayerMetric)


def measures_together(several: LayersMetric) -> Callable[[Metric], Metric]:
    """Mark a metric as one that `several` computes for several layers at once, with the same options."""

    def mark(metric: Metric) -> Metric:
        metric.of_layers = several  # type: ignore[attr-defined]
        return metric

    return mark


def of_layers(metric: LayerMetric) -> LayersMetric | None:
    """Return the function that computes a metric for several layers at once, if it has one."""
    several: LayersMetric | None = getattr(function_of(metric), "of_layers", None)
    if several is not None and isinstance(metric, partial):
        return partial(several, *metric.args, **metric.keywords)
    return several


def small_together(layers: Iterable[tuple[str, LayerSample]]) -> Iterator[list[tuple[str, LayerSample]]]:
    """Group successive layers of the same points, up to `MAX_NUMBERS` numbers; a layer with so many stays alone.

    Layers are drawn as they are needed, so of large ones only one is in memory.
    """
    group: list[tuple[str, LayerSample]] = []
    for layer, sample in layers:
        if group and ((len(group) + 1) * sample.x.numel() > MAX_NUMBERS or not _same_points(group[0][1], sample)):
            yield group
            group = []
        group.append((layer, sample))
        if len(group) * sample.x.numel() >= MAX_NUMBERS:
            yield group
            group = []
    if group:
        yield group


def _same_points(a: LayerSample, b: LayerSample) -> bool:
    same = a.x.shape == b.x.shape and a.x.device == b.x.device and a.languages == b.languages
    return same and torch.equal(a.language, b.language) and torch.equal(a.sentence, b.sentence)

"""The one loop over layers, and the only place where tensors become rows."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor

from babelscope.metrics.sample import LayerMetric, LayerSample, function_of
from babelscope.metrics.together import of_layers, small_together

logger = logging.getLogger(__name__)
COLUMNS = ("layer", "metric", "language", "other", "value")


def score(
    layers: Iterable[tuple[str, LayerSample]],
    metrics: Mapping[str, LayerMetric],
    *,
    wrote: dict[str, str] | None = None,
    **keys: Any,
) -> Iterator[dict[str, Any]]:
    """Measure every layer with every metric, as tidy rows of `keys`, layer, metric, language, other and value.

    The metric column is the result's key, or "name/key" for a metric configured under another name than its
    function's. A result per language is followed by its unweighted mean, whose language is empty.

    Args:
        layers: Layer names with their samples; drawn as they are measured: one large layer is in memory, or a few
            small ones, which some metrics measure together.
        metrics: Configured name of each metric function.
        wrote: Dict that receives, for each column, the configured name of the metric that wrote it.
        keys: Columns that every row repeats, such as step and epoch.

    Raises:
        ValueError: if two metrics write one column, a result has no valid scope, or a metric refuses the sample.
        RuntimeError: if a metric fails in any other way.
    """
    if taken := sorted(set(keys) & set(COLUMNS)):
        raise ValueError(f"Expected argument `keys` not to use a column of the rows, but got {taken}; rename the key")
    for group in small_together(layers):
        measured = {name: _measure_all(group, name, metric) for name, metric in metrics.items()}
        # its own function, so that no variable here holds a layer while the next one is measured
        for row in _rows(group, metrics, measured, wrote):
            yield {**keys, **row}


def _rows(
    group: Sequence[tuple[str, LayerSample]],
    metrics: Mapping[str, LayerMetric],
    measured: Mapping[str, Sequence[dict[str, Tensor]]],
    wrote: dict[str, str] | None,
) -> Iterator[dict[str, Any]]:
    for number, (layer, sample) in enumerate(group):
        owner: dict[str, str] = {}
        for name, metric in metrics.items():
            for key, result in measured[name][number].items():
                column = _column(name, metric, key)
                _claim(owner, column, name)
                for language, other, value in _values(layer, sample, column, result):
                    yield dict(zip(COLUMNS, (layer, column, language, other, value), strict=True))
        if wrote is not None:
            wrote.update(owner)


def _claim(owner: dict[str, str], column: str, name: str) -> None:
    if column in owner:
        raise ValueError(
            f"Expected argument `metrics` to write each column once, but {owner[column]!r} and {name!r} both write "
            f"{column!r}; name one of them differently"
        )
    owner[column] = name


def _measure_all(group: Sequence[tuple[str, LayerSample]], name: str, metric: LayerMetric) -> list[dict[str, Tensor]]:
    several = of_layers(metric)
    if several is not None and len(group) > 1:
        # if they cannot be measured together, each alone tells why, or finds memory on the host
        with suppress(Exception):
            return several([sample for _, sample in group])
    return [_measure(layer, sample, name, metric) for layer, sample in group]


def _measure(layer: str, sample: LayerSample, name: str, metric: LayerMetric) -> dict[str, Tensor]:
    try:
        return _tensors(metric(sample))
    except torch.OutOfMemoryError:
        if not sample.x.is_cuda:
            raise
    except ValueError as error:
        raise ValueError(f"Metric {name!r}, layer {layer!r}: {error}") from error
    except Exception as error:
        raise RuntimeError(f"Metric {name!r}, layer {layer!r}: {type(error).__name__}: {error}") from error
    # after the except, whose end frees everything that the failed call held
    logger.warning("Metric %r, layer %r: not enough memory on the GPU, so it is measured on the host.", name, layer)
    return _measure(layer, sample.to("cpu"), name, metric)


def _tensors(results: Any) -> dict[str, Tensor]:
    kind = type(results).__name__
    if isinstance(results, dict):
        wrong = [value for value in results.values() if not isinstance(value, Tensor)]
        wrong += [column for column in results if not isinstance(column, str)]
        kind = f"{type(wrong[0]).__name__} in it" if wrong else ""
    if kind:
        raise ValueError(f"Expected a dict of tensors by column, but got {kind}; return one from the metric")
    return results


def _column(name: str, metric: LayerMetric, key: str) -> str:
    return key if getattr(function_of(metric), "__name__", name) == name else f"{name}/{key}"


def _values(layer: str, sample: LayerSample, column: str, result: Tensor) -> Iterator[tuple[str, str, float]]:
    languages = sample.n_languages
    if tuple(result.shape) not in {(), (languages,), (languages, languages)}:
        raise ValueError(
            f"Expected result {column!r} of layer {layer!r} to be 0-d, ({languages},) or ({languages}, {languages}), "
            f"but got shape {tuple(result.shape)}; reduce it inside the metric"
        )
    if result.is_complex():
        raise ValueError(
            f"Expected result {column!r} of layer {layer!r} to be real numbers, but got {result.dtype}; take their "
            f"size or their real part inside the metric"
        )
    values = result.detach().double().cpu()
    if not bool(values.isfinite().all()):
        raise ValueError(
            f"Expected result {column!r} of layer {layer!r} to be finite, but got {values.tolist()}; return a "
            "finite value for this case"
        )
    if values.ndim == 0:
        yield "", "", values.item()
    if values.ndim == 1:
        for language, value in enumerate(values.tolist()):
            yield sample.name(language), "", value
        yield "", "", values.mean().item()
    if values.ndim == 2:
        for language, row in enumerate(values.tolist()):
            for other, value in enumerate(row):
                yield sample.name(language), sample.name(other), value

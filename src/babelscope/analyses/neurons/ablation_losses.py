"""What each language loses when the neurons of a region are ablated, beside as many random ones."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import log, sqrt
from typing import Any

import torch
from torch import Tensor

from babelscope.analyses.ablation import measure_without
from babelscope.analyses.neurons.language_loss import LanguageLosses
from babelscope.analyses.rows import Rows, row
from babelscope.metrics.student import t_quantile
from babelscope.models.parts import Parts
from babelscope.states.neurons import Place
from babelscope.states.progress import Progress


def ablation_losses(
    parts: Parts,
    masks: Mapping[str, Tensor],
    measure: Callable[[], LanguageLosses],
    *,
    place: Place = "down_input",
    controls: int = 5,
    seed: int = 0,
    progress: Progress[str] = iter,
) -> Rows:
    """Measure the losses of the intact model, of the model without each region, and without matched random neurons.

    Args:
        parts: Of the model that `measure` runs.
        masks: (L, F) bool of each region, by its language; none empty.
        measure: Runs the model on the same sentences every time.
        place: Where neurons are ablated.
        controls: Random sets per region, each with as many neurons in every layer as the region, and none of its own.
        seed: Of the random sets; those of a region do not depend on which others are measured.
        progress: Wraps the languages of the regions, for a progress bar.

    Returns:
        Tidy rows of the whole model: `loss`, `perplexity` and `bits_per_byte` of the intact model; `ablated_neurons`;
        and, of each language without the region of `other`, against the intact model, `ablated_loss` (nats per target)
        and `ablated_bits_per_byte`, differences with their 95 % intervals over sentences, `ablated_perplexity` (ratio),
        `random_loss` and `random_bits_per_byte` (means over the random sets) with their 95 % intervals over these, and
        `random_perplexity` (ratio).

    Raises:
        ValueError: if there are fewer than two controls or sentences, or a region is empty; see `measure_without`.
    """
    regions = measure_without(parts, masks, measure, place=place, controls=controls, seed=seed, progress=progress)
    intact = measure()
    if intact.nll.shape[1] < 2:
        raise ValueError("Expected at least 2 sentences per language, for intervals, but got 1; measure on more")
    rows = list(_describe(intact))
    for language, ablated, random in regions:
        rows.append(row("ablated_neurons", int(masks[language].sum()), "", language))
        rows += [
            row(metric, value, name, language)
            for metric, values in {**_compare(intact, ablated), **_summarise(intact, random)}.items()
            for name, value in zip(intact.languages, values.tolist(), strict=True)
        ]
    return rows


def _describe(intact: LanguageLosses) -> Iterator[dict[str, Any]]:
    for metric in ("loss", "perplexity", "bits_per_byte"):
        values = getattr(intact, metric)
        for language, value in zip(intact.languages, values.tolist(), strict=True):
            yield row(metric, value, language)
        yield row(metric, float(values.mean()))


def _compare(intact: LanguageLosses, ablated: LanguageLosses) -> dict[str, Tensor]:
    """Compare two passes over the same sentences, per language (K,)."""
    change = ablated.nll - intact.nll
    loss, loss_half = _ratio(change, intact.targets.double())
    bits, bits_half = _ratio(change / log(2), intact.bytes)
    return {
        "ablated_loss": loss,
        "ablated_loss_low": loss - loss_half,
        "ablated_loss_high": loss + loss_half,
        "ablated_perplexity": loss.exp(),
        "ablated_bits_per_byte": bits,
        "ablated_bits_per_byte_low": bits - bits_half,
        "ablated_bits_per_byte_high": bits + bits_half,
    }


def _ratio(change: Tensor, size: Tensor) -> tuple[Tensor, Tensor]:
    """Return the ratio of sums over sentences (K, n), per language (K,), and half its 95 % interval.

    The variance is that of a ratio estimator (Cochran 1977, eq. 6.13).
    """
    n = change.shape[1]
    ratio = change.sum(dim=1) / size.sum(dim=1)
    rest = change - ratio[:, None] * size
    return ratio, t_quantile(n - 1) * (n / (n - 1) * rest.square().sum(dim=1)).sqrt() / size.sum(dim=1)


def _summarise(intact: LanguageLosses, random: Sequence[LanguageLosses]) -> dict[str, Tensor]:
    """Summarise the changes by each of the random sets, per language (K,), with intervals over the sets."""
    values: dict[str, Tensor] = {}
    for name in ("loss", "bits_per_byte"):
        changes = torch.stack([getattr(without, name) - getattr(intact, name) for without in random], dim=1)
        mean = changes.mean(dim=1)
        half = t_quantile(changes.shape[1] - 1) * changes.std(dim=1) / sqrt(changes.shape[1])
        values |= {f"random_{name}": mean, f"random_{name}_low": mean - half, f"random_{name}_high": mean + half}
    return {**values, "random_perplexity": values["random_loss"].exp()}

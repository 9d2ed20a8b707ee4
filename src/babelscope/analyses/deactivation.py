"""What each language loses when the neurons of a region are switched off, beside as many random ones."""

import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from math import sqrt
from typing import Any

import torch
from scipy import stats
from torch import Tensor

from babelscope.analyses.ablation import ablate, matched_masks
from babelscope.analyses.language_loss import LanguageLosses
from babelscope.models.parts import Parts
from babelscope.states.neurons import Place

Rows = list[dict[str, Any]]
Progress = Callable[[Sequence[str]], Iterable[str]]
LEVEL = 0.95


def deactivation(
    parts: Parts,
    masks: Mapping[str, Tensor],
    measure: Callable[[], LanguageLosses],
    *,
    at: Place = "down_input",
    controls: int = 5,
    seed: int = 0,
    progress: Progress = iter,
) -> Rows:
    """Measure the losses of the intact model, of the model without each region, and without matched random neurons.

    Args:
        parts: Of the model that `measure` runs.
        masks: (L, F) bool of each region, by its language; none empty.
        measure: Runs the model on the same sentences every time.
        at: Where neurons are switched off.
        controls: Random sets per region, each with as many neurons in every layer as the region, and none of its own.
        seed: Of the random sets; those of a region do not depend on which others are measured.
        progress: Wraps the languages of the regions, for a progress bar.

    Returns:
        Tidy rows of the whole model: `loss`, `perplexity` and `bits_per_byte` of the intact model; `ablated_neurons`;
        and, of each language without the region of `other`, against the intact model, `ablated_loss` (nats per target)
        with its 95 % interval over sentences, `ablated_perplexity` (ratio), `ablated_bits_per_byte` (difference),
        `random_loss` (mean over the random sets) with its 95 % interval over them, and `random_perplexity` (ratio).

    Raises:
        ValueError: If there are fewer than two controls or sentences, or a region is empty; see `ablate` and
            `matched_masks`.
    """
    if controls < 2:
        raise ValueError(
            f"Expected argument `controls` to be at least 2, for their interval, but got {controls}; take 5 or more"
        )
    if empty := [language for language, mask in masks.items() if not bool(mask.any())]:
        raise ValueError(
            f"Expected argument `masks` to hold neurons of every language, but got an empty region for {empty[0]}; "
            "leave that language out"
        )
    drawn = {
        language: matched_masks(mask, count=controls, seed=zlib.crc32(f"{seed}:{language}".encode()))
        for language, mask in masks.items()
    }
    intact = measure()
    if intact.nll.shape[1] < 2:
        raise ValueError("Expected at least 2 sentences per language, for intervals, but got 1; measure on more")
    rows = list(_describe(intact))

    def measure_without(mask: Tensor) -> LanguageLosses:
        with ablate(parts, mask, at=at):
            return measure()

    for language in progress(list(masks)):
        ablated = measure_without(masks[language])
        random = torch.stack([measure_without(mask).loss - intact.loss for mask in drawn[language]], dim=1)
        rows.append(_row("ablated_neurons", int(masks[language].sum()), "", language))
        rows += [
            _row(metric, value, name, language)
            for metric, values in {**_compare(intact, ablated), **_summarise(random)}.items()
            for name, value in zip(intact.names, values.tolist(), strict=True)
        ]
    return rows


def _describe(intact: LanguageLosses) -> Iterator[dict[str, Any]]:
    for metric in ("loss", "perplexity", "bits_per_byte"):
        values = getattr(intact, metric)
        for language, value in zip(intact.names, values.tolist(), strict=True):
            yield _row(metric, value, language)
        yield _row(metric, float(values.mean()))


def _compare(intact: LanguageLosses, ablated: LanguageLosses) -> dict[str, Tensor]:
    """Compare two passes over the same sentences, per language (K,).

    The loss is a ratio of sums over sentences, whose variance is that of a ratio estimator (Cochran 1977, eq. 6.13).
    """
    change = ablated.nll - intact.nll
    targets = intact.targets.double()
    loss = change.sum(dim=1) / targets.sum(dim=1)
    n = change.shape[1]
    rest = change - loss[:, None] * targets
    half = _t(n - 1) * (n / (n - 1) * rest.square().sum(dim=1)).sqrt() / targets.sum(dim=1)
    return {
        "ablated_loss": loss,
        "ablated_loss_low": loss - half,
        "ablated_loss_high": loss + half,
        "ablated_perplexity": loss.exp(),
        "ablated_bits_per_byte": ablated.bits_per_byte - intact.bits_per_byte,
    }


def _summarise(random: Tensor) -> dict[str, Tensor]:
    """Summarise the changes of the loss by each of the random sets (K, P)."""
    mean = random.mean(dim=1)
    half = _t(random.shape[1] - 1) * random.std(dim=1) / sqrt(random.shape[1])
    return {
        "random_loss": mean,
        "random_loss_low": mean - half,
        "random_loss_high": mean + half,
        "random_perplexity": mean.exp(),
    }


def _t(freedom: int) -> float:
    return float(stats.t.ppf((1 + LEVEL) / 2, freedom))


def _row(metric: str, value: float, language: str = "", other: str = "") -> dict[str, Any]:
    return {"layer": "", "metric": metric, "language": language, "other": other, "value": float(value)}

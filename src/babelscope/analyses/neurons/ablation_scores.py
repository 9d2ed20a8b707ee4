"""Repeat any measurement, such as layer scores or task accuracy, with a region's neurons ablated."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from math import inf, sqrt
from statistics import fmean, stdev
from typing import Any

from torch import Tensor

from babelscope.analyses.ablation import measure_without
from babelscope.analyses.rows import Rows
from babelscope.metrics.student import t_quantile
from babelscope.models.parts import Parts
from babelscope.states.progress import Progress


def ablation_scores(
    parts: Parts,
    masks: Mapping[str, Tensor],
    measure: Callable[[], Rows],
    *,
    controls: int = 5,
    seed: int = 0,
    within: tuple[float, float] | None = None,
    progress: Progress[str] = iter,
) -> Rows:
    """Measure the intact model, the model without each region, and without as many random neurons.

    Args:
        parts: Of the model that `measure` runs.
        masks: (L, F) bool of each region, by its language; none empty.
        measure: Gives tidy rows without run, step and epoch.
        controls: Random sets per region, the same as `ablation_losses` draws.
        seed: Of the random sets.
        within: The least and the greatest value that the measurement can have, where its intervals end, such as (0, 1)
            of an accuracy; None for none.
        progress: Wraps the languages of the regions, for a progress bar.

    Returns:
        `intact_NAME` of the intact model; of each region, `ablated_NAME` and the mean over the random sets,
        `random_NAME`, with its 95 % interval over them, and the region's language as `other`.
        Results per pair of languages have no place there and are left out.

    Raises:
        ValueError: if there are fewer than two controls, or a region is empty; see `measure_without`.
    """
    regions = measure_without(parts, masks, measure, controls=controls, seed=seed, progress=progress)
    rows = _renamed(measure(), "intact", "")
    for region, ablated, random in regions:
        rows += _renamed(ablated, "ablated", region)
        by_key: defaultdict[tuple[str, ...], list[float]] = defaultdict(list)
        for row in _renamed(chain.from_iterable(random), "random", region):
            by_key[tuple(row[key] for key in _KEYS)].append(row["value"])
        rows += [
            row
            for keys, values in by_key.items()
            for row in _summarise(dict(zip(_KEYS, keys, strict=True)), values, within or (-inf, inf))
        ]
    return rows


def _summarise(keys: Mapping[str, str], values: Sequence[float], within: tuple[float, float]) -> Rows:
    """Rows of the mean over random sets and of the limits of its 95 % interval."""
    mean = fmean(values)
    half = t_quantile(len(values) - 1) * stdev(values) / sqrt(len(values))
    ends = {"": mean, "_low": max(mean - half, within[0]), "_high": min(mean + half, within[1])}
    return [{**keys, "metric": f"{keys['metric']}{end}", "value": value} for end, value in ends.items()]


_KEYS = ("layer", "metric", "language", "other")


def _renamed(rows: Iterable[dict[str, Any]], kind: str, region: str) -> Rows:
    return [{**row, "metric": f"{kind}_{row['metric']}", "other": region} for row in rows if not row["other"]]

"""Any other measurement, such as scores of layers or a task's accuracy, made again without a region's neurons."""

import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from torch import Tensor

from babelscope.analyses.ablation import ablate, matched_masks
from babelscope.models.parts import Parts

Rows = list[dict[str, Any]]
Progress = Callable[[Sequence[str]], Iterable[str]]


def score_without(
    parts: Parts,
    masks: Mapping[str, Tensor],
    measure: Callable[[], Rows],
    *,
    controls: int = 5,
    seed: int = 0,
    progress: Progress = iter,
) -> Rows:
    """Measure the intact model, the model without each region, and without as many random neurons.

    Args:
        parts: Of the model that `measure` runs.
        masks: (L, F) bool of each region, by its language; none empty.
        measure: Gives tidy rows without run, step and epoch.
        controls: Random sets per region, the same as `deactivation` draws.
        seed: Of the random sets.
        progress: Wraps the languages of the regions, for a progress bar.

    Returns:
        `intact_NAME` of the intact model; of each region, `ablated_NAME` and the mean over the random sets,
        `random_NAME`, with the region's language as `other`. Results per pair of languages have no place there and are
        left out.
    """
    rows = _renamed(measure(), "intact", "")
    for region in progress(list(masks)):
        with ablate(parts, masks[region]):
            rows = rows + _renamed(measure(), "ablated", region)
        total: defaultdict[tuple[str, ...], float] = defaultdict(float)
        for mask in matched_masks(masks[region], count=controls, seed=zlib.crc32(f"{seed}:{region}".encode())):
            with ablate(parts, mask):
                for row in _renamed(measure(), "random", region):
                    total[tuple(row[key] for key in _KEYS)] += row["value"] / controls
        rows += [{**dict(zip(_KEYS, keys, strict=True)), "value": value} for keys, value in total.items()]
    return rows


_KEYS = ("layer", "metric", "language", "other")


def _renamed(rows: Rows, kind: str, region: str) -> Rows:
    return [{**row, "metric": f"{kind}_{row['metric']}", "other": region} for row in rows if not row["other"]]

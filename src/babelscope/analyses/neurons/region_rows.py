"""Rows about linguistic regions: their sizes, where in the depth they lie, and how they overlap, against chance."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from babelscope.analyses.regions import Regions
from babelscope.analyses.rows import Rows, row
from babelscope.report.table import cut_in_thirds


def region_rows(regions: Regions) -> Rows:
    """Describe the regions of one criterion c.

    Returns:
        Rows with the metrics

        - c_neurons: size, per language and block; of the whole model (layer ""), per language and as their mean.
        - c_share_early, c_share_middle, c_share_last: share of a region in each third of the blocks, per language and
          as the mean of those that have a region: an empty one lies nowhere and has no row.
          c_share_early_null and so on (language ""): the share of all neurons there.
        - c_overlap (language, other): neurons in both regions over neurons in either; 0 for two empty ones.
          c_overlap_chance: the same of the neurons expected in both, were each region placed at random in its blocks.
    """
    c, counts = regions.criterion, regions.counts
    rows = [
        row(f"{c}_neurons", count, language, layer=str(block))
        for language, per_block in zip(regions.languages, counts.tolist(), strict=True)
        for block, count in enumerate(per_block, 1)
    ]
    rows += _per_language(f"{c}_neurons", dict(zip(regions.languages, counts.sum(1).tolist(), strict=True)))
    rows += _share_rows(regions)
    both, expected = _in_both(_stack(regions), _stack(regions))
    sizes = counts.sum(1).double()
    found = _jaccard(both, sizes[:, None], sizes)
    chance = _jaccard(expected, sizes[:, None], sizes)
    for i, language in enumerate(regions.languages):
        for j, other in enumerate(regions.languages):
            if i != j:
                rows.append(row(f"{c}_overlap", found[i, j].item(), language, other))
                rows.append(row(f"{c}_overlap_chance", chance[i, j].item(), language, other))
    return rows


def null_size_rows(regions: Regions) -> Rows:
    """Rows c_neurons_null: mean size, per block and in the whole model, of regions of shuffled languages."""
    counts = regions.counts.double().mean(0).tolist()
    rows = [row(f"{regions.criterion}_neurons_null", count, layer=str(block)) for block, count in enumerate(counts, 1)]
    return [*rows, row(f"{regions.criterion}_neurons_null", sum(counts))]


def between_rows(first: Regions, second: Regions) -> Rows:
    """Compare the regions that two criteria c and d give the same languages of the same model.

    Returns:
        Rows c_d_overlap and c_d_overlap_chance, as in `region_rows`, per language that has both and as their mean.

    Raises:
        ValueError: if the shapes differ, no language is in both, or the criteria have one name.
    """
    if first.criterion == second.criterion:
        raise ValueError(
            f"Expected two criteria, but got {first.criterion!r} twice; compare regions over time with kept_rows"
        )
    return _paired_rows(f"{first.criterion}_{second.criterion}_overlap", first, second)


def kept_rows(now: Regions, start: Regions) -> Rows:
    """Compare the regions with those of one criterion c at step 0.

    Returns:
        Rows c_kept and c_kept_chance, as c_overlap in `region_rows`, per language and as their mean.

    Raises:
        ValueError: if the shapes or criteria differ, or no language is in both.
    """
    if now.criterion != start.criterion:
        raise ValueError(
            f"Expected the regions of step 0 to be found by {now.criterion!r}, but got {start.criterion!r}; start a "
            f"new run folder"
        )
    return _paired_rows(f"{now.criterion}_kept", now, start)


def _share_rows(regions: Regions) -> Rows:
    c, rows = regions.criterion, []
    sizes = regions.counts.sum(1)
    blocks = regions.shape[0]
    for third, place in cut_in_thirds(blocks).items():
        inside = regions.counts[:, place.start : place.stop].sum(1)
        shares = {
            language: part / size
            for language, part, size in zip(regions.languages, inside.tolist(), sizes.tolist(), strict=True)
            if size
        }
        rows += _per_language(f"{c}_share_{third}", shares)
        rows.append(row(f"{c}_share_{third}_null", len(place) / blocks))
    return rows


def _paired_rows(metric: str, first: Regions, second: Regions) -> Rows:
    languages = [language for language in first.languages if language in second.masks]
    if first.shape != second.shape or not languages:
        raise ValueError(
            f"Expected two sets of regions of one model with languages in common, but got {first.shape} blocks x "
            f"neurons for {', '.join(first.languages)} and {second.shape} for {', '.join(second.languages)}; compare "
            f"regions of the same model under the same language codes"
        )
    one, two = _stack(first, languages), _stack(second, languages)
    both, expected = _in_both(one, two)
    sizes = one.sum((1, 2)).double(), two.sum((1, 2)).double()
    found = _jaccard(both.diagonal(), *sizes).tolist()
    random = _jaccard(expected.diagonal(), *sizes).tolist()
    return [
        *_per_language(metric, dict(zip(languages, found, strict=True))),
        *_per_language(f"{metric}_chance", dict(zip(languages, random, strict=True))),
    ]


def _stack(regions: Regions, languages: Sequence[str] | None = None) -> Tensor:
    """(K, L, F) bool."""
    return torch.stack([regions.masks[language] for language in languages or regions.languages])


def _in_both(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Count the neurons in both of every two masks (K, L, F) and (M, L, F), and those expected there by chance.

    Of two random sets of a and b out of F neurons, a * b / F are expected in both.

    Returns:
        Two (K, M) float64 tensors.
    """
    both = torch.zeros(len(first), len(second), dtype=torch.float64)
    for block in range(first.shape[1]):  # float32 holds every count up to 2**24 neurons per block
        both += (first[:, block].float() @ second[:, block].float().T).double()
    expected = first.sum(2).double() @ second.sum(2).double().T / first.shape[2]
    return both, expected


def _jaccard(both: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """Divide what is in both by what is in either, given the two sizes; 0 for two empty sets."""
    either = first + second - both
    return torch.where(either > 0, both / either, 0.0)


def _per_language(metric: str, values: Mapping[str, float]) -> Rows:
    """Rows of the whole model for each language, and their unweighted mean where there is one."""
    rows = [row(metric, value, language) for language, value in values.items()]
    return [*rows, row(metric, sum(values.values()) / len(values))] if values else rows

"""Interlingual Local Overlap: do sentences of a language live among sentences of many others?"""

from math import comb
from typing import NamedTuple

import torch
from torch import Tensor

from babelscope.metrics.neighbours import Search, nearest_neighbours
from babelscope.metrics.remedies import about_k
from babelscope.metrics.sample import LayerSample
from babelscope.metrics.search.points import Distance


def ilo(
    sample: LayerSample,
    *,
    k: int = 5,
    threshold: int = 3,
    distance: Distance = "cosine",
    search: Search = nearest_neighbours,
    strict: bool = False,
) -> dict[str, Tensor]:
    """Measure Interlingual Local Overlap per language (Wilie et al. 2025), beside its value under full mixing.

    Let D_i be the languages, other than its own, among the k nearest neighbours of point i. For each language:
    bridge = share of its points with |D_i| >= threshold; reach = |union of its D_i| / (K - 1); ilo = their harmonic
    mean, 0 if either is 0. If there is only one language, all three are 0.

    Args:
        sample: S points in K languages, of equal or unequal numbers.
        k: Neighbours per point, own language included.
        threshold: Number of other languages that make a point a bridge.
        distance: "cosine" or "euclidean".
        search: Where the neighbours come from.
        strict: Refuse a threshold that K languages cannot meet, since every score would be 0 by definition.

    Returns:
        ilo, bridge, reach: (K,).
        neighbour_share: (K, K), the share of the row language's neighbours that lie in the column language.
        bridge_null, ilo_null: 0-d, from `mixing_null` for K languages of the mean size.

    Raises:
        ValueError: if k or threshold is impossible for the sample.
    """
    languages, points = sample.n_languages, len(sample.x)
    _check(k, threshold, points)
    if strict and threshold > languages - 1:
        raise ValueError(
            f"Expected argument `threshold` to be at most the number of other languages, but got {threshold} with "
            f"{languages} languages; lower metrics.ilo.threshold or add languages"
        )
    _, neighbours = search(sample.x, k, distance=distance)
    theirs = sample.language[neighbours]
    met = torch.zeros(points, languages, dtype=torch.bool, device=theirs.device).scatter_(1, theirs, True)
    met[torch.arange(points, device=met.device), sample.language] = False

    size = torch.bincount(sample.language, minlength=languages).double()
    bridges = sample.language[met.sum(1) >= threshold]
    bridge = torch.bincount(bridges, minlength=languages) / size
    of, reached = met.nonzero(as_tuple=True)
    reached_by = torch.zeros(languages, languages, dtype=torch.float64, device=met.device)
    reached_by[sample.language[of], reached] = 1
    reach = reached_by.sum(1) / max(languages - 1, 1)
    slots = torch.bincount((sample.language.unsqueeze(1) * languages + theirs).flatten(), minlength=languages**2)
    null = mixing_null(k, threshold, languages, points / languages)
    return {
        "ilo": _harmonic_mean(bridge, reach),
        "bridge": bridge,
        "reach": reach,
        "neighbour_share": slots.view(languages, languages) / (size * k).unsqueeze(1),
        "bridge_null": bridge.new_tensor(null.bridge),
        "ilo_null": bridge.new_tensor(null.ilo),
    }


class Null(NamedTuple):
    """Scores if languages mix fully, so that neighbours tell nothing about language.

    Bridge and reach are expectations; ILO is their harmonic mean.
    """

    bridge: float
    reach: float
    ilo: float


def mixing_null(k: int, threshold: int, languages: int, sentences: float | None = None) -> Null:
    """Return bridge, reach and ilo if each neighbour's language is a uniform draw from all K.

    bridge = sum over d >= threshold other languages and m >= d of the k neighbours that lie in them, of
    C(k, m) C(K - 1, d) Surj(m, d) / K^k, in whole numbers until the one division; reach = 1 - (1 - 1/K)^(k n).

    Args:
        k: Neighbours per point.
        threshold: Number of other languages that make a point a bridge.
        languages: K.
        sentences: n, sentences per language; None for the limit of many sentences, where every language is reached.

    Raises:
        ValueError: if an argument is below 1 or the threshold exceeds k.
    """
    _check(k, threshold, k + 1)
    if languages < 1:
        raise ValueError(f"Expected argument `languages` to be at least 1, but got {languages}; count the languages")
    others = languages - 1
    outcomes = sum(
        comb(k, m) * comb(others, d) * _surjections(m, d)
        for d in range(threshold, min(k, others) + 1)
        for m in range(d, k + 1)
    )
    bridge = outcomes / languages**k
    missed = 0.0 if sentences is None else (others / languages) ** (k * sentences)
    reach = 1 - missed if others else 0.0
    return Null(bridge, reach, 2 * bridge * reach / (bridge + reach) if bridge else 0.0)


def _surjections(m: int, d: int) -> int:
    """Return the number of ways in which m draws hit each of d languages."""
    return sum((-1) ** j * comb(d, j) * (d - j) ** m for j in range(d + 1))


def _harmonic_mean(a: Tensor, b: Tensor) -> Tensor:
    return torch.where(a * b > 0, 2 * a * b / (a + b), 0.0)


def _check(k: int, threshold: int, points: int) -> None:
    if not 1 <= k < points:
        raise ValueError(
            f"Expected argument `k` to be at least 1 and smaller than the number of points, but got k={k} with "
            f"{points} points; {about_k('ilo', k)}"
        )
    if not 1 <= threshold <= k:
        raise ValueError(
            f"Expected argument `threshold` to be from 1 to k, but got {threshold} with k={k}; "
            f"change metrics.ilo.threshold"
        )

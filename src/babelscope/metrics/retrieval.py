"""Translation retrieval: how often the nearest sentence of another language is the translation."""

import torch
from torch import Tensor

from babelscope.metrics.directions import directions_of, nearest
from babelscope.metrics.parallel import align_sentences, find_pivot, language_pairs, per_language, symmetric_scores
from babelscope.metrics.remedies import about_k
from babelscope.metrics.sample import LayerSample


def retrieval(sample: LayerSample, *, pivot: str | None = "eng_Latn", k: int = 10) -> dict[str, Tensor]:
    """Measure P@1 of translation retrieval by cosine and by CSLS, both ways, and hubness (Lample et al. 2018).

    CSLS(i, j) = 2 cos(i, j) - r(i) - r(j), with r the mean cosine to the k nearest sentences of the other language.
    Of equally near sentences, the first is taken, so a collapsed layer scores 1 / n, the null.

    Args:
        sample: n aligned sentences in K >= 2 languages.
        pivot: Language with which every other is compared; its own entry is the mean of the others. None: each language
            is compared with all others.
        k: Neighbours used by r and by hubness.

    Returns:
        retrieval_to, retrieval_from: (K,) P@1 by cosine, from the pivot to the language and back.
        retrieval: (K,) their mean.
        csls_to, csls_from, csls: (K,) the same by CSLS.
        hubness: (K,) skewness of N_k, the number of sentences that have a given one among their k nearest, averaged
            over both directions: 0 if all are found equally often, large if a few are found by all.
        retrieval_null: 0-d 1 / n.

    Raises:
        ValueError: if sentences are not aligned, the pivot is not one of the languages, or k exceeds n.
    """
    x, pivot_index = align_sentences(sample), find_pivot(sample, pivot)
    languages, sentences, _ = x.shape
    if not 1 <= k <= sentences:
        raise ValueError(
            f"Expected argument `k` to be from 1 to the number of sentences, but got k={k} with {sentences}; "
            f"{about_k('retrieval', k)}"
        )
    points = directions_of(x)
    plain, scaled, hubs = points.length.new_zeros(3, languages, languages)
    for one, other in language_pairs(languages, pivot_index):
        distances = points.distances(one, other)
        local_one, local_other = (d.topk(k, largest=False).values.mean(1) for d in (distances, distances.T))
        # With cos = 1 - distance, the ones cancel: this is -CSLS.
        csls = 2 * distances - local_one.unsqueeze(1) - local_other
        for rows, columns, near, adjusted in (
            (one, other, distances, csls),
            (other, one, distances.T, csls.T),
        ):
            plain[rows, columns] = precision_at_1(near, points.tie)
            scaled[rows, columns] = precision_at_1(adjusted, points.tie)
            hubs[rows, columns] = _skewness(nearest(near, k, points.tie).sum(0))
    to, back, csls_to, csls_from, hubness_to, hubness_from = (
        per_language(values, pivot_index) for pair in (plain, scaled, hubs) for values in (pair, pair.T)
    )
    return {
        "retrieval": (to + back) / 2,
        "retrieval_to": to,
        "retrieval_from": back,
        "csls": (csls_to + csls_from) / 2,
        "csls_to": csls_to,
        "csls_from": csls_from,
        "hubness": (hubness_to + hubness_from) / 2,
        "retrieval_null": to.new_tensor(1 / sentences),
    }


def mean_precision(x: Tensor, pivot: int | None) -> Tensor:
    """Return P@1 (K,) of states x (K, n, D), the mean of both directions, as the key `retrieval` of `retrieval`."""
    points = directions_of(x)

    def both_ways(one: int, other: int) -> Tensor:
        distances = points.distances(one, other)
        return (precision_at_1(distances, points.tie) + precision_at_1(distances.T, points.tie)) / 2

    return symmetric_scores(len(x), pivot, both_ways)


def precision_at_1(distances: Tensor, tie: float) -> Tensor:
    """Return the share of rows of `distances` (n, n) whose nearest column has the row's own index."""
    return nearest(distances, 1, tie).diagonal().double().mean()


def _skewness(counts: Tensor) -> Tensor:
    """Third standardised moment, 0 for equal counts."""
    deviation = counts.double() - counts.double().mean()
    variance = deviation.square().mean()
    return torch.where(variance > 0, deviation.pow(3).mean() / variance.pow(1.5), 0.0)

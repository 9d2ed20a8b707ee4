"""MEXA: is a sentence nearer to its translation than to any other sentence, seen from both sides?"""

import torch
from torch import Tensor

from babelscope.metrics.directions import directions_of
from babelscope.metrics.parallel import align_sentences, find_pivot, symmetric_scores
from babelscope.metrics.sample import LayerSample


def mexa(sample: LayerSample, *, pivot: str | None = "eng_Latn") -> dict[str, Tensor]:
    """Measure how many sentences are strictly nearest to their translation in both directions (Kargaran et al. 2024).

    With c_ij the cosine of sentence i in one language and j in the other, the share of the n sentences with
    c_ii > max over j != i of max(c_ij, c_ji). An equally near rival counts against a sentence, so a collapsed layer has
    0. A zero state has cosine 0 to all.

    Args:
        sample: n aligned sentences in K >= 2 languages.
        pivot: Language with which every other is compared; its own entry is the mean of the others. None: each language
            is compared with all others.

    Returns:
        mexa: (K,).
        mexa_null: 0-d 1 / (2n - 1), the chance that of 2n - 1 unrelated cosines a given one is the largest.

    Raises:
        ValueError: if sentences are not aligned, or the pivot is not one of the languages.
    """
    x, pivot_index = align_sentences(sample), find_pivot(sample, pivot)
    languages, sentences, _ = x.shape
    points = directions_of(x)

    def share_of_nearest(one: int, other: int) -> Tensor:
        distances = points.distances(one, other)
        own = distances.diagonal().clone()
        distances.fill_diagonal_(torch.inf)
        rival = torch.minimum(distances.amin(0), distances.amin(1))
        return (own < rival - points.tie).double().mean()

    share = symmetric_scores(languages, pivot_index, share_of_nearest)
    return {"mexa": share, "mexa_null": share.new_tensor(1 / (2 * sentences - 1))}

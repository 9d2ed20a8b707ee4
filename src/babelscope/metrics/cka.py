"""Centred kernel alignment: do two languages arrange the same sentences in the same way, up to rotation?"""

import torch
from torch import Tensor

from babelscope.metrics.parallel import align_sentences, find_pivot, symmetric_scores
from babelscope.metrics.sample import LayerSample

STRUCTURE = 1e-12  # a Gram matrix whose centred part is a smaller share of its norm has no structure beyond rounding


def cka(sample: LayerSample, *, pivot: str | None = "eng_Latn") -> dict[str, Tensor]:
    """Measure debiased linear CKA between languages (Kornblith et al. 2019; unbiased HSIC of Song et al. 2012).

    CKA = HSIC(K, L) / sqrt(HSIC(K, K) HSIC(L, L)) of the Gram matrices of two languages' states. It is 1 for a rotated,
    scaled or shifted copy, 0 on average for unrelated states, and may fall below 0. It is 0 if one language has no
    arrangement of sentences to compare, as when all its states are identical. Memory is K n^2 float64 numbers.

    Args:
        sample: n >= 4 aligned sentences in K >= 2 languages.
        pivot: Language with which every other is compared; its own entry is the mean of the others. None: each language
            is compared with all others.

    Returns:
        cka: (K,).
        cka_null: 0-d 0.

    Raises:
        ValueError: if sentences are fewer than 4 or not aligned, or the pivot is not one of the languages.
    """
    x, pivot_index = align_sentences(sample), find_pivot(sample, pivot)
    grams = [unit_gram(states) for states in x]
    alignment = symmetric_scores(len(x), pivot_index, lambda one, other: align(grams[one], grams[other]))
    return {"cka": alignment, "cka_null": alignment.new_zeros(())}


def align(one: Tensor, other: Tensor) -> Tensor:
    """Return debiased CKA, 0-d, of two matrices made by `unit_gram`."""
    return (one.flatten() @ other.flatten()).clamp(-1, 1)


def unit_gram(x: Tensor) -> Tensor:
    """Return the U-centred Gram matrix (n, n) of states x (n, D), of norm 1 or all 0.

    Debiased HSIC of two Gram matrices is the inner product of their U-centred forms over n (n - 3) (Szekely & Rizzo
    2014). So CKA is the inner product of the unit forms, and HSIC of a matrix with itself is never negative.

    Raises:
        ValueError: if there are fewer than 4 states.
    """
    n = len(x)
    if n < 4:
        raise ValueError(f"Expected at least 4 sentences for debiased CKA, but got {n}; add sentences")
    # If all rows are equal, they become exactly 0; otherwise the shift changes only rounding.
    states = x.double() - x[:1].double()
    states -= states.mean(0)
    states /= states.abs().max().clamp(min=torch.finfo(torch.float64).tiny)
    gram = (states @ states.T).fill_diagonal_(0)
    rows = gram.sum(1) / (n - 2)
    centred = gram - rows - rows.unsqueeze(1) + rows.sum() / (n - 1)
    centred.fill_diagonal_(0)
    norm = centred.norm()
    return torch.where(norm > STRUCTURE * gram.norm(), centred / norm, 0.0)

"""SADS: do translations of one sentence have more in common than different sentences?"""

import torch
from torch import Tensor

from babelscope.metrics.pairs.cosine_sums import PairMeans, sample_sums
from babelscope.metrics.sample import LayerSample


def sads(sample: LayerSample) -> dict[str, Tensor]:
    """Measure the Semantic Alignment Development Score (SADS of Zeng et al. 2025) of every language with the others.

    SADS is the mean cosine of a sentence and its translation, less the mean cosine of two different sentences in the
    same two languages. Pairs within a language are in neither mean, so language is held constant: this is the paper's
    definition, with the diagonal masked in every block. SADS lies between -2 and 2. A zero vector has cosine 0 to all.

    Args:
        sample: n >= 2 aligned sentences in K >= 2 languages.

    Returns:
        sads: (K,), each the mean over the other languages; the mean over languages is SADS.
        sads_null: 0-d 0, exactly: if the sentences of each language are shuffled, both means have the same expectation,
            the mean over all pairs of any two sentences in the two languages.

    Raises:
        ValueError: if there are fewer than 2 languages or sentences, or sentences are not aligned.
    """
    values = sads_by_language(sample_sums(sample).means)
    return {"sads": values, "sads_null": values.new_zeros(())}


def sads_of(means: PairMeans) -> Tensor:
    """Return SADS (...) of mean cosines (..., K, K)."""
    return sads_by_language(means).mean(-1)


def sads_by_language(means: PairMeans) -> Tensor:
    """Return SADS (..., K) of every language with the others, from mean cosines (..., K, K)."""
    return sads_by_pair(means).sum(-1) / (means.different.shape[-1] - 1)


def sads_by_pair(means: PairMeans) -> Tensor:
    """Return SADS (..., K, K) of every two languages, from mean cosines (..., K, K); the diagonal is 0."""
    values = means.translations - means.different
    own = torch.eye(values.shape[-1], dtype=torch.bool, device=values.device)
    return values.masked_fill(own, 0.0)

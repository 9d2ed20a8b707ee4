"""LRDS: do sentences of one language have more in common than sentences of different languages?"""

import torch
from torch import Tensor

from babelscope.metrics.pairs.cosine_sums import PairMeans, sample_sums
from babelscope.metrics.sample import LayerSample


def lrds(sample: LayerSample) -> dict[str, Tensor]:
    """Measure the Linguistic Region Development Score (LRDS of Zeng et al. 2025) of every language.

    LRDS is the mean cosine of two different sentences within the language, less the mean cosine of a sentence in the
    language and a different sentence in another language. Translations are in neither mean, so meaning is held
    constant: this is the paper's definition, with the diagonal masked in every block. LRDS lies between -2 and 2. A
    zero vector has cosine 0 to all.

    Args:
        sample: n >= 2 aligned sentences in K >= 2 languages.

    Returns:
        lrds: (K,); the mean over languages is LRDS.
        lrds_null: 0-d 0, exactly: if the languages of each sentence are shuffled, both means have the same expectation,
            the mean over all pairs of different sentences in any two languages.

    Raises:
        ValueError: if there are fewer than 2 languages or sentences, or sentences are not aligned.
    """
    values = lrds_by_language(sample_sums(sample).means)
    return {"lrds": values, "lrds_null": values.new_zeros(())}


def lrds_of(means: PairMeans) -> Tensor:
    """Return LRDS (...) of mean cosines (..., K, K)."""
    return lrds_by_language(means).mean(-1)


def lrds_by_language(means: PairMeans) -> Tensor:
    """Return LRDS (..., K) of every language from mean cosines (..., K, K)."""
    own = torch.diagonal(means.different, dim1=-2, dim2=-1)
    others = (means.different.sum(-1) - own) / (own.shape[-1] - 1)
    return own - others

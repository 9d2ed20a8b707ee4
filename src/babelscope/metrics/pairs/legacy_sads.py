"""The released code's order of sentences for SADS, to show its effect."""

import torch
from torch import Tensor


def legacy_order(x: Tensor) -> Tensor:
    """Reorder points x (K, n, ...) as the released code of Zeng et al. 2025 does before it takes blocks of a meaning.

    That code goes through the points, language by language, in strides of n + 1, which would be right for n + 1
    sentences. It takes every K consecutive points for the translations of one sentence. These blocks hold hardly any
    translations, so SADS of reordered columns and norms, `cosine_sums(legacy_order(x), legacy_order(norm))`, is
    near 0.
    """
    languages, sentences = x.shape[:2]
    stride = sentences + 1
    strides = [torch.arange(first, languages * sentences, stride, device=x.device) for first in range(stride)]
    blocks = x.flatten(0, 1)[torch.cat(strides)].unflatten(0, (sentences, languages))
    return blocks.transpose(0, 1)

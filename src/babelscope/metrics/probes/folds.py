"""Cross-validation folds that keep translations together."""

import torch
from torch import Tensor


def sentence_folds(sentence: Tensor, folds: int, generator: torch.Generator) -> Tensor:
    """Deal whole sentences into folds of equal size at random, so that translations never straddle a split.

    Args:
        sentence: (S,) int64 sentence of each point.
        folds: Number of folds.
        generator: Source of the order, on the CPU.

    Returns:
        (S,) int64 fold of each point.

    Raises:
        ValueError: if there are fewer than 2 folds or more folds than sentences.
    """
    unique, position = sentence.unique(return_inverse=True)
    if not 2 <= folds <= len(unique):
        # several metrics use folds; `score` adds the name of the metric
        key = "`folds` of the metric, such as metrics.separability.folds"
        remedy = f"add sentences, or lower {key}" if folds >= 2 else f"raise {key}"
        raise ValueError(
            f"Expected argument `folds` to be from 2 to the number of sentences, but got {folds} with "
            f"{len(unique)} sentences; {remedy}"
        )
    order = torch.randperm(len(unique), generator=generator).to(sentence.device)
    return (order % folds)[position]

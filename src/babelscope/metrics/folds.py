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
        ValueError: If there are fewer than 2 folds or more folds than sentences.
    """
    unique, position = sentence.unique(return_inverse=True)
    if not 2 <= folds <= len(unique):
        raise ValueError(
            f"Expected argument `folds` to be from 2 to the number of sentences, but got {folds} with "
            f"{len(unique)} sentences; lower folds or add sentences"
        )
    order = torch.randperm(len(unique), generator=generator).to(sentence.device)
    return (order % folds)[position]

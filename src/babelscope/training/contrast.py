"""Pull translations together: the contrastive term over parallel sentences."""

import torch
import torch.nn.functional as F
from torch import Tensor


def info_nce(a: Tensor, b: Tensor, *, temperature: float = 0.1) -> Tensor:
    """Symmetric InfoNCE between translations a[i] and b[i], each (B, D), as InfoXLM (Chi et al. 2021) pre-trains with.

    Every other sentence of the batch, on either side, is a negative.
    """
    similarity = F.normalize(a.float(), dim=1) @ F.normalize(b.float(), dim=1).T / temperature
    same = torch.arange(len(a), device=a.device)
    return (F.cross_entropy(similarity, same) + F.cross_entropy(similarity.T, same)) / 2

"""Pull translations together: the contrastive term over parallel sentences."""

from collections.abc import Collection

import torch
import torch.nn.functional as F
from torch import Tensor

from babelscope.data.encoding import attention_mask, pad
from babelscope.models.parts import Parts
from babelscope.states.pool import mean
from babelscope.states.record import record


def info_nce(a: Tensor, b: Tensor, *, temperature: float = 0.1) -> Tensor:
    """Symmetric InfoNCE between translations a[i] and b[i], each (B, D), as InfoXLM (Chi et al. 2021) pre-trains with.

    Every other sentence of the batch, on either side, is a negative. In float32, whatever the model is trained in.
    """
    with torch.autocast(a.device.type, enabled=False):
        similarity = F.normalize(a.float(), dim=1) @ F.normalize(b.float(), dim=1).T / temperature
        same = torch.arange(len(a), device=a.device)
        return (F.cross_entropy(similarity, same) + F.cross_entropy(similarity.T, same)) / 2


def contrast(parts: Parts, pairs: dict[str, Tensor], layers: Collection[str], *, temperature: float = 0.1) -> Tensor:
    """InfoNCE between translations on the states of some layers, averaged over the layers, with gradient.

    A sentence is the mean of all its tokens, the special ones too.

    Args:
        parts: Where the layers of the model are.
        pairs: `input_ids` and `attention_mask` (2B, T); row B + i is the translation of row i.
        layers: Names of the layers, in Babelscope's convention.
        temperature: Of the similarities.
    """
    states: dict[str, Tensor] = {}
    attended = pairs["attention_mask"].bool()

    def keep(layer: str, hidden: Tensor) -> None:
        if layer in layers:
            with torch.autocast(hidden.device.type, enabled=False):
                states[layer] = mean(hidden, attended, attended)

    with record(parts, keep):
        parts.stack(**pairs, use_cache=False)
    return torch.stack([info_nce(*x.chunk(2), temperature=temperature) for x in states.values()]).mean()


def collate_pairs(sides: tuple[list[list[int]], list[list[int]]], padding: int) -> dict[str, Tensor]:
    """Stack the token ids of B sentences and of their translations as `input_ids` and `attention_mask` (2B, T)."""
    rows = [*sides[0], *sides[1]]
    return {"input_ids": pad(rows, padding), "attention_mask": attention_mask(rows)}

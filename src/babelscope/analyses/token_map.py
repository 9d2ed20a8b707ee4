"""Tokens on a plane, to be looked at: the two directions in which they differ most, or UMAP."""

from typing import Literal

import torch
from torch import Tensor

from babelscope.analyses.token_rows import TokenRows

Layout = Literal["pca", "umap"]


@torch.no_grad()
def map_tokens(tokens: TokenRows, ids: Tensor, *, layout: Layout = "pca", seed: int = 0) -> Tensor:
    """Lay out the directions of some tokens on a plane.

    Args:
        tokens: Tokens in use.
        ids: (n,) tokens to place.
        layout: pca, or umap with S1's settings (15 neighbours, minimal distance 0.2), which is an extra.
        seed: Of UMAP.

    Returns:
        (n, 2) places; of PCA with the sign that makes the largest loading positive.

    Raises:
        ValueError: If UMAP is not installed.
    """
    x = tokens.unit(ids)
    if layout == "umap":
        try:
            from umap import UMAP
        except ImportError as error:
            raise ValueError(
                "Expected `map=umap` with UMAP installed, but it is not; pip install 'babelscope[umap]', or map=pca."
            ) from error
        placed = UMAP(n_neighbors=min(15, len(x) - 1), min_dist=0.2, random_state=seed, n_jobs=1).fit_transform(x)
        return torch.as_tensor(placed)
    centred = (x - x.mean(0)).double()
    vectors = torch.linalg.eigh(centred.T @ centred).eigenvectors[:, -2:].flip(1)
    signs = vectors.gather(0, vectors.abs().argmax(0, keepdim=True)).sign()
    return (centred @ (vectors * signs)).float()

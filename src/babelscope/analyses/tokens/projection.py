"""Tokens on a plane, to be looked at: the two directions in which they differ most, or UMAP."""

import warnings
from importlib.util import find_spec
from typing import Literal

import torch
from torch import Tensor

from babelscope.analyses.tokens.token_rows import TokenRows

Layout = Literal["pca", "umap"]
MIN_TOKENS = 5
"""Tokens that UMAP needs for a graph of neighbours with a spectrum."""


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
        ValueError: if the layout is unknown, UMAP is not installed, or has too few tokens.
    """
    check_layout(layout)
    x = tokens.unit(ids)
    if layout == "umap":
        return _umap(x, seed)
    centred = (x - x.mean(0)).double()
    vectors = torch.linalg.eigh(centred.T @ centred).eigenvectors[:, -2:].flip(1)
    signs = vectors.gather(0, vectors.abs().argmax(0, keepdim=True)).sign()
    return (centred @ (vectors * signs)).float()


def check_layout(layout: str) -> None:
    """Refuse, before anything slow, a layout that is unknown or not installed."""
    if layout not in ("pca", "umap"):
        raise ValueError(f"Expected `map` to be pca or umap, but got {layout!r}; choose one.")
    if layout == "umap" and find_spec("umap") is None:
        raise ValueError(
            "Expected `map=umap` with UMAP installed, but it is not; pip install 'babelscope[umap]', or map=pca."
        )


def _umap(x: Tensor, seed: int) -> Tensor:
    if len(x) < MIN_TOKENS:
        raise ValueError(f"Expected at least {MIN_TOKENS} tokens for `map=umap`, but got {len(x)}; take map=pca.")
    with warnings.catch_warnings():
        # UMAP's: of networks, which this layout does not use
        warnings.filterwarnings("ignore", "Tensorflow not installed", ImportWarning)
        from umap import UMAP
    # one job, as a seed asks for: several would give another map each time
    placed = UMAP(n_neighbors=min(15, len(x) - 1), min_dist=0.2, random_state=seed, n_jobs=1).fit_transform(x.numpy())
    return torch.as_tensor(placed)

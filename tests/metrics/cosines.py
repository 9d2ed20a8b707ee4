"""Slow references for means over pairs of sentences, and the vectors they are tried on."""

from itertools import product

import numpy as np
import torch
from torch import Tensor

from babelscope.metrics.pairs.cosine_sums import CosineSums, cosine_sums, squared_norms


def sums_of(x: Tensor) -> CosineSums:
    """Sums of cosines of whole vectors (K, n, F)."""
    return cosine_sums(x, squared_norms(x).sqrt())


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def cases() -> dict[str, Tensor]:
    """Float64 vectors (K, n, F): random, duplicated, clustered and degenerate."""
    noise = randn(4, 7, 9)
    zeros = noise.clone()
    zeros[1, 2:4] = 0
    zeros[3] = 0
    return {
        "random": noise,
        "duplicated": noise[:, torch.arange(7) // 2],
        "one language twice": noise[[0, 0, 1, 2]],
        "clustered": 5 * randn(3, 9, seed=1)[torch.arange(7) % 3] + 0.1 * noise,
        "positive": noise.relu(),
        "with zeros": zeros,
        "all zero": torch.zeros_like(noise),
        "constant": torch.full_like(noise, 0.3),
        "far from the origin": noise + 1000,
        "tiny": 1e-30 * noise,
        "two languages": noise[:2],
        "two sentences": noise[:, :2],
        "two of each": noise[:2, :2],
        "one neuron": noise[..., :1],
    }


def planted(meaning: float = 0.6, seed: int = 0) -> Tensor:
    """Science F6: base + 0.6 language + meaning + 0.5 noise, 9 languages x 100 sentences, width 400."""
    return (
        randn(400, seed=seed)
        + 0.6 * randn(9, 1, 400, seed=seed + 1)
        + meaning * randn(100, 400, seed=seed + 2)
        + 0.5 * randn(9, 100, 400, seed=seed + 3)
    )


def cosine(u: np.ndarray, v: np.ndarray) -> float:
    lengths = np.sqrt((u @ u) * (v @ v))
    return float(u @ v / lengths) if lengths else 0.0


def slow_means(x: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Mean cosines (K, K) of different sentences and of translations, pair by pair."""
    v = x.double().numpy() / (np.abs(x.double().numpy()).max() or 1)
    languages, sentences = v.shape[:2]
    different, same = np.zeros((languages, languages)), np.zeros((languages, languages))
    for one, other in product(range(languages), repeat=2):
        all_pairs = [[cosine(v[one, s], v[other, t]) for t in range(sentences)] for s in range(sentences)]
        same[one, other] = np.mean([all_pairs[s][s] for s in range(sentences)])
        different[one, other] = np.mean([all_pairs[s][t] for s, t in product(range(sentences), repeat=2) if s != t])
    return different, same


def slow_lrds(x: Tensor) -> list[float]:
    """LRDS of every language."""
    different, _ = slow_means(x)
    count = len(different)
    return [
        different[one, one] - np.mean([different[one, other] for other in range(count) if other != one])
        for one in range(count)
    ]


def slow_sads(x: Tensor) -> list[float]:
    """SADS of every language with the others."""
    different, same = slow_means(x)
    count = len(different)
    return [
        np.mean([same[one, other] - different[one, other] for other in range(count) if other != one])
        for one in range(count)
    ]

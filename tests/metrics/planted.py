"""Planted layer samples and slow references that the metric tests share."""

import numpy as np
import torch
from torch import Tensor

from babelscope.metrics import LayerSample


def randn(*shape: int, seed: int = 0) -> Tensor:
    """Float32 of a seed; `cosines` has one of float64."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def plant(languages=8, sentences=60, width=64, *, offset=0.0, meaning=1.0, noise=0.05, seed=0, names=()) -> LayerSample:
    """Points that are the sum of a language offset, a shared meaning and noise, language by language."""
    g = torch.Generator().manual_seed(seed)
    language = torch.arange(languages).repeat_interleave(sentences)
    sentence = torch.arange(sentences).repeat(languages)
    x = offset * torch.randn(languages, width, generator=g)[language]
    x = x + meaning * torch.randn(sentences, width, generator=g)[sentence]
    return LayerSample(x + noise * torch.randn(x.shape, generator=g), language, sentence, names)


def brute_force(x: Tensor, k: int, distance: str) -> tuple[np.ndarray, np.ndarray]:
    """All pairs in float64, stable by index."""
    v = x.double().numpy()
    norm = np.sqrt((v**2).sum(1))
    if distance == "cosine":
        v = v / np.where(norm == 0, 1, norm)[:, None]
    all_pairs = np.stack([((v - row) ** 2).sum(1) for row in v])
    if distance == "cosine":
        all_pairs /= 2
        all_pairs[norm == 0] = all_pairs[:, norm == 0] = 1
    else:
        all_pairs = np.sqrt(all_pairs)
    np.fill_diagonal(all_pairs, np.inf)
    index = np.argsort(all_pairs, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(all_pairs, index, 1), index


def slow_ilo(sample: LayerSample, k: int, threshold: int) -> dict[str, list[float]]:
    """S2's definition in plain loops."""
    language = sample.language.tolist()
    count = sample.n_languages
    v = sample.x.double().numpy()
    v = v / np.sqrt((v**2).sum(1, keepdims=True))
    cosine = v @ v.T
    met = []
    for i in range(len(v)):
        others = sorted((1 - cosine[i, j], j) for j in range(len(v)) if j != i)
        met.append({language[j] for _, j in others[:k]} - {language[i]})
    out: dict[str, list[float]] = {"ilo": [], "bridge": [], "reach": []}
    for own in range(count):
        mine = [d for d, code in zip(met, language, strict=True) if code == own]
        bridge = sum(len(d) >= threshold for d in mine) / len(mine)
        reach = len(set().union(*mine)) / (count - 1) if count > 1 else 0.0
        out["bridge"].append(bridge)
        out["reach"].append(reach)
        out["ilo"].append(2 * bridge * reach / (bridge + reach) if bridge and reach else 0.0)
    return out

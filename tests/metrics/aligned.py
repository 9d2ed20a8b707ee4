"""Aligned samples of every awkward kind, and the plainest form of what is compared between languages."""

from collections.abc import Callable

import numpy as np
import torch

from babelscope.metrics import LayerSample
from tests.metrics.planted import plant

K, N, D = 4, 14, 6
NAMES = ("eng_Latn", "deu_Latn", "rus_Cyrl", "jpn_Jpan")
Measure = Callable[[np.ndarray, np.ndarray], float]


def sample_of(x: torch.Tensor) -> LayerSample:
    """States (K, n, D) as a sample."""
    languages, sentences, width = x.shape
    language = torch.arange(languages).repeat_interleave(sentences)
    sentence = torch.arange(sentences).repeat(languages)
    return LayerSample(x.reshape(-1, width).contiguous(), language, sentence, NAMES[:languages])


def awkward() -> dict[str, LayerSample]:
    """Random, clustered, duplicated and degenerate states."""
    g = torch.Generator().manual_seed(0)
    noise = torch.randn(K, N, D, generator=g)
    meaning = torch.randn(N, D, generator=g)
    centre = 4 * torch.randn(3, D, generator=g)
    clusters = centre[torch.arange(N) % 3] + 0.3 * noise
    flat = noise.clone()
    flat[2] = flat[2, :1]
    zeros = noise.clone()
    zeros[:, 3:6] = 0
    zeros[3, 8] = 0
    few = torch.randint(-1, 2, (K, N, 2), generator=g).float()
    cases = {
        "random": noise,
        "aligned": meaning + 0.5 * noise + 2 * torch.randn(K, 1, D, generator=g),
        "clustered": clusters,
        "duplicated": (meaning + 0.1 * noise)[:, torch.arange(N) // 2],
        "on a grid": few,
        "with zeros": zeros,
        "one language flat": flat,
        "far from the origin": 1000 + meaning + 0.5 * noise,
        "tiny": 1e-30 * (meaning + 0.5 * noise),
    }
    return {name: sample_of(x) for name, x in cases.items()}


def directions(sample: LayerSample) -> np.ndarray:
    """(K, n, D) float64 states of unit length, or zero."""
    v = sample.x.double().numpy()
    norm = np.sqrt((v**2).sum(1, keepdims=True))
    return (v / np.where(norm == 0, 1, norm)).reshape(sample.n_languages, -1, v.shape[1])


def against_pivot(states: np.ndarray, measure: Measure, pivot: int | None) -> list[float]:
    """The value of each language: with the pivot, the mean of the others for the pivot itself, or of all pivots."""
    count = len(states)
    values = [
        [measure(states[p], states[other]) if p != other else 0.0 for other in range(count)] for p in range(count)
    ]
    if pivot is None:
        return [sum(values[p][other] for p in range(count)) / (count - 1) for other in range(count)]
    row = values[pivot]
    return [sum(row) / (count - 1) if other == pivot else row[other] for other in range(count)]


def unrelated(seeds: int, *, sentences: int = 60, width: int = 64) -> list[LayerSample]:
    """Pure noise: neither language nor meaning."""
    return [plant(4, sentences, width, meaning=0, noise=1, seed=seed, names=NAMES) for seed in range(seeds)]


def shuffled(sample: LayerSample, seed: int) -> tuple[LayerSample, torch.Tensor]:
    """The same points with sentences and languages in another order, and where each language went."""
    g = torch.Generator().manual_seed(seed)
    sentences = torch.randperm(len(sample.sentence.unique()), generator=g)
    order = torch.randperm(len(sample.x), generator=g)
    rename = torch.randperm(sample.n_languages, generator=g)
    names = tuple(sample.languages[i] for i in rename.argsort().tolist())
    start = None if sample.start is None else 4 * sample.start[order]
    moved = LayerSample(
        4 * sample.x[order], rename[sample.language[order]], sentences[sample.sentence[order]], names, start
    )
    return moved, rename

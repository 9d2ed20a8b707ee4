"""Neuron scores, LRDS and SADS against the published double loops, as `scripts/neuron_speed.py` takes them apart.

The published parts run on one of the languages and one of the layers, at full length, and count as often as there are
languages and as LRDS and SADS need the cosines, of every layer and of the model.
"""

from collections.abc import Iterator

import numpy as np
import torch
from neuron_speed import Clock, Found, cosines, loop, make
from neuron_speed import measure as measure_ours
from torch import Tensor

from benchmarks.result import Check, Line, Settings
from benchmarks.timing import once

TIMES = 4
"""How often LRDS and SADS as published take the cosines of a layer."""


def measure(settings: Settings) -> Iterator[Line]:
    layers, width, languages, sentences = shape = (3, 256, 4, 12) if settings.quick else (30, 16_384, 10, 100)
    ours, theirs, scores_alone, checks = [], [], [], []
    for _ in range(settings.repeats):
        clock = Clock()
        measured = measure_ours(shape, clock)
        ours.append(sum(clock.seconds.values()))
        scored = clock.seconds["norms"] + clock.seconds["neuron scores"] + clock.seconds["z-regions"]
        first = next(make(*shape)).flatten(0, 1).numpy()
        one = torch.cat([x[0] for x in make(*shape)], dim=1)
        h = (one / torch.linalg.vector_norm(one, dim=1, keepdim=True)).numpy()
        found, looping = once(lambda h=h: loop(h))  # type: ignore[misc]
        _, multiplying = once(lambda first=first: cosines(first))  # type: ignore[misc]
        theirs.append(languages * looping + TIMES * layers * multiplying)
        scores_alone.append(languages * looping / scored)
        checks = compare(measured, found, shape)
    yield Line(
        f"neuron scores, LRDS, SADS, {languages} x {sentences} sentences x {layers * width:,} neurons",
        "published double loops, from 1 language and 1 layer",
        ours,
        theirs,
        target=40.0,
        checks=checks,
        extras={"ratio of scores and norms to the double loop alone": float(np.median(scores_alone))},
    )


def compare(measured: Found, looped: np.ndarray, shape: tuple[int, int, int, int]) -> list[Check]:
    """Scores of the first language by the double loop and of all by sums, LRDS and SADS from the matrix of cosines."""
    _, _, languages, sentences = shape
    scores = measured.scores.double().numpy()
    looping = float(np.abs(looped - scores[0]).max() / np.abs(looped).max())
    adding = max(
        float(np.abs(one - own).max() / np.abs(one).max()) for one, own in zip(_sums(shape), scores, strict=True)
    )
    first = next(make(*shape)).flatten(0, 1).double()
    gram = sum((x.flatten(0, 1) @ x.flatten(0, 1).T).double() for x in make(*shape))
    checks = [
        Check("largest difference to the largest score, by the double loop", looping, "<=", 1e-5),
        Check("the same by sums, all languages", adding, "<=", 1e-5),
    ]
    for place, (where, products) in enumerate((("first layer", first @ first.T), ("model", gram))):
        means = _means(products, languages, sentences)
        for name, value, found in zip(("LRDS", "SADS"), means, (measured.lrds, measured.sads), strict=True):
            checks.append(Check(f"difference of {name}, {where}", abs(value - found[place]), "<=", 1e-5))
    return checks


def _sums(shape: tuple[int, int, int, int]) -> Iterator[np.ndarray]:
    """Mean product of all pairs of a language's sentences, of every neuron: the square of the sum, less the squares."""
    for language in range(shape[2]):
        h = torch.cat([x[language] for x in make(*shape)], dim=1)
        h /= torch.linalg.vector_norm(h, dim=1, keepdim=True)
        total, squares = h.sum(0, dtype=torch.float64), h.square().sum(0, dtype=torch.float64)
        yield ((total.square() - squares) / (len(h) * (len(h) - 1))).numpy()


def _means(products: Tensor, languages: int, sentences: int) -> tuple[float, float]:
    """LRDS and SADS from the products of all points (S, S), pair by pair of languages."""
    size = products.diagonal().sqrt()
    blocks = (products / size / size.unsqueeze(1)).view(languages, sentences, languages, sentences).transpose(1, 2)
    same = torch.eye(sentences, dtype=torch.bool)
    alike, unlike = blocks[:, :, same].mean(2), blocks[:, :, ~same].mean(2)
    own = torch.eye(languages, dtype=torch.bool)
    return float(unlike[own].mean() - unlike[~own].mean()), float(alike[~own].mean() - unlike[~own].mean())

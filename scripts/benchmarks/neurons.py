"""Neuron scores, LRDS and SADS against the published double loops, as `scripts/neuron_speed.py` takes them apart.

The published parts run on one of the languages and one of the layers, at full length, and count as often as there are
languages and as LRDS and SADS need the cosines, of every layer and of the model.
"""

from collections.abc import Iterator
from dataclasses import dataclass

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
    ours, theirs, scores_alone, errors = [], [], [], []
    expected = Expected.of(shape)
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
        errors.append(expected.errors(measured, found))
    yield Line(
        f"neuron scores, LRDS, SADS, {languages} x {sentences} sentences x {layers * width:,} neurons",
        "published double loops, from 1 language and 1 layer",
        ours,
        theirs,
        target=40.0,
        checks=[Check(what, max(each[what] for each in errors), "<=", 1e-5) for what in errors[0]],
        extras={"ratio of scores and norms to the double loop alone": float(np.median(scores_alone))},
    )


@dataclass(frozen=True)
class Expected:
    """The same results from plain sums over pairs."""

    scores: np.ndarray
    """(K, F) mean product of all pairs of a language's sentences: the square of the sum, less the squares."""
    first: tuple[float, float]
    """LRDS and SADS of the first layer."""
    whole: tuple[float, float]
    """Those of the whole model."""

    @classmethod
    def of(cls, shape: tuple[int, int, int, int]) -> "Expected":
        """Take two passes over the layers."""
        _, _, languages, n = shape
        grams = [(x.flatten(0, 1) @ x.flatten(0, 1).T).double() for x in make(*shape)]
        whole = torch.stack(grams).sum(0)
        norm = whole.diagonal().sqrt().view(languages, n, 1)
        scores = []
        for x in make(*shape):
            h = x.div_(norm)
            scores.append((h.sum(1).square() - h.square().sum(1)).double() / (n * (n - 1)))
        means = [_means(products, languages, n) for products in (grams[0], whole)]
        return cls(torch.cat(scores, dim=1).numpy(), *means)

    def errors(self, measured: Found, looped: np.ndarray) -> dict[str, float]:
        """Compare what was measured, and the first language's scores with those of the published loop."""
        scores = measured.scores.double().numpy()
        size = np.abs(self.scores).max(axis=1)
        (lrds, sads), (lrds_all, sads_all) = self.first, self.whole
        return {
            "largest difference to the largest score": float(np.abs(looped - scores[0]).max() / np.abs(looped).max()),
            "the same in every language, by sums": float((np.abs(self.scores - scores).max(axis=1) / size).max()),
            "difference of LRDS, first layer": abs(lrds - measured.lrds[0]),
            "difference of SADS, first layer": abs(sads - measured.sads[0]),
            "difference of LRDS, model": abs(lrds_all - measured.lrds[1]),
            "difference of SADS, model": abs(sads_all - measured.sads[1]),
        }


def _means(products: Tensor, languages: int, sentences: int) -> tuple[float, float]:
    """LRDS and SADS from the products of all points (S, S), pair by pair of languages."""
    size = products.diagonal().sqrt()
    blocks = (products / size / size.unsqueeze(1)).view(languages, sentences, languages, sentences).transpose(1, 2)
    same = torch.eye(sentences, dtype=torch.bool)
    alike, unlike = blocks[:, :, same].mean(2), blocks[:, :, ~same].mean(2)
    own = torch.eye(languages, dtype=torch.bool)
    return float(unlike[own].mean() - unlike[~own].mean()), float(alike[~own].mean() - unlike[~own].mean())

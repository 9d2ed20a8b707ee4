"""The linear probes of one epoch against scikit-learn with the same folds, features and C, at the same optimum.

A pair of times is one layer, all folds of it. The peer's tolerance is the loosest of 1e-4 (the default), 1e-5, ...
whose objective, in one fold of the middle layer, is within 1e-4 of the best that is known: at the default it need
not be, and features become float64 where float32 stalls. What the default gives is reported beside it.
"""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from babelscope.metrics import LayerSample, separability
from babelscope.metrics.probes.folds import sentence_folds
from babelscope.metrics.probes.logistic import fit_logistic
from benchmarks.data import points
from benchmarks.result import Check, Line, Settings
from benchmarks.timing import interleave, once

FOLDS = 5
TARGET = 4.0
SAME = 1e-4
"""Relative distance of objectives that are the same optimum."""
POINTS = 0.2
"""Percentage points of accuracy that may lie between them."""
CHANCE = 1.0
"""The same for probes that have nothing to find, whose guesses move with rounding, on average over layers."""
SOLVERS = [
    (dtype, 10.0**-digits)
    for dtype, digits in [*product((np.float32,), range(4, 8)), *product((np.float64,), range(6, 11))]
]


@dataclass(frozen=True)
class Size:
    languages: int = 31
    sentences: int = 200
    width: int = 768
    layers: int = 13

    def sample(self, layer: int) -> LayerSample:
        """Languages are well apart in the first layer and hardly in the last."""
        apart = 0.5 * 0.2 ** (layer / max(1, self.layers - 1))
        return points(self.languages, self.sentences, self.width, apart=apart, seed=layer)

    @property
    def points_apart(self) -> float:
        """Percentage points of accuracy that may lie between the two: one point of few is more than `POINTS`."""
        return max(POINTS, 100.5 / (self.languages * self.sentences))

    def some(self, count: int) -> list[int]:
        """Layers from first to last, evenly spread."""
        return sorted({round(i * (self.layers - 1) / max(1, count - 1)) for i in range(count)})


class Fold(NamedTuple):
    """Standardised features and labels of one fit, and the rows that it predicts."""

    x: Tensor
    labels: Tensor
    held_out: Tensor
    truth: Tensor


class Solver(NamedTuple):
    """How scikit-learn is run."""

    dtype: Any
    tol: float


def measure(settings: Settings) -> Iterator[Line]:
    size = Size(5, 20, 24, 2) if settings.quick else Size()
    every = list(range(size.layers))
    some = every if settings.quick else size.some(max(3, settings.repeats))
    for strength, layers in ((1.0, every), (0.01, some), (100.0, some)):
        yield plain(size, strength, layers)
    yield whole(size, 1.0, some)


def plain(
    size: Size, strength: float, layers: Sequence[int], *, device: str = "cpu", target: float | None = TARGET
) -> Line:
    """The probe of true labels alone; ours on the device, theirs on the host."""
    solver, default = choose(size, strength)
    ours, theirs, excess, points_apart, usual = [], [], [], [], []
    for layer in layers:
        folds = list(folds_of(size.sample(layer))["plain"])
        there = [Fold(*(part.to(device) for part in fold)) for fold in folds]
        fitted = interleave(
            lambda there=there: [fit_ours(fold, size.languages, strength).cpu() for fold in there],  # type: ignore[misc]
            lambda folds=folds: [fit_theirs(fold, strength, solver) for fold in folds],  # type: ignore[misc]
            1,
        )
        ours += fitted.ours
        theirs += fitted.theirs
        usual.append(once(lambda folds=folds: [fit_theirs(fold, strength, default) for fold in folds])[1])  # type: ignore[misc]
        both = zip(folds, fitted.our_result, fitted.their_result, strict=True)
        scores = [[(objective(f, w, strength), accuracy(f, w)) for w in (a, b)] for f, a, b in both]
        excess += [a / min(a, b) - 1 for (a, _), (b, _) in scores]
        points_apart.append(100 * abs(np.mean([a - b for (_, a), (_, b) in scores])))
    return Line(
        f"plain probes, C = {strength:g}, {described(size, layers)}",
        f"scikit-learn LogisticRegression(lbfgs), tol {solver.tol:g}, {solver.dtype.__name__}",
        ours,
        theirs,
        target=target if strength == 1.0 else None,
        checks=[
            Check("objective above the better one's", float(np.max(excess)), "<=", SAME),
            Check("points of accuracy apart", float(np.max(points_apart)), "<=", size.points_apart),
        ],
        extras={
            "seconds of all layers, ours": sum(ours),
            "seconds of all layers, theirs": sum(theirs),
            "seconds of all layers, theirs at the default tol": sum(usual),
            "excess of the default's objective": excess_of(size, strength, default),
        },
    )


def whole(
    size: Size, strength: float, layers: Sequence[int], *, device: str = "cpu", target: float | None = TARGET
) -> Line:
    """All that `separability` gives: the plain probe, its control, and the centred one."""
    solver, _ = choose(size, strength)
    ours, theirs, apart = [], [], []
    for layer in layers:
        sample = size.sample(layer)

        def peer(sample: LayerSample = sample) -> dict[str, float]:
            return {
                name: float(np.mean([accuracy(fold, fit_theirs(fold, strength, solver)) for fold in folds]))
                for name, folds in folds_of(sample).items()
            }

        there = sample.to(device)
        pair = interleave(lambda there=there: separability(there, folds=FOLDS, C=strength), peer, 1)  # type: ignore[misc]
        ours += pair.ours
        theirs += pair.theirs
        names = {"plain": "separability", "control": "separability_control", "centred": "separability_centred"}
        apart.append(
            [100 * (float(pair.our_result[names[n]].mean()) - value) for n, value in pair.their_result.items()]
        )
    plain_apart, control, centred = np.array(apart).T
    return Line(
        f"separability(): plain, control, centred, C = {strength:g}, {described(size, layers)}",
        f"scikit-learn LogisticRegression(lbfgs), tol {solver.tol:g}, the same three",
        ours,
        theirs,
        target=target,
        checks=[
            Check("points apart, plain", float(np.abs(plain_apart).max()), "<=", size.points_apart),
            Check("points apart, control", abs(float(control.mean())), "<=", CHANCE),
            Check("points apart, centred", abs(float(centred.mean())), "<=", CHANCE),
        ],
        extras={"seconds of all layers, ours": sum(ours), "seconds of all layers, theirs": sum(theirs)},
    )


def folds_of(sample: LayerSample) -> dict[str, list[Fold]]:
    """The fits of `separability`, from its definition: the same folds and the same shuffled labels."""
    generator = torch.Generator().manual_seed(0)
    dealt = sentence_folds(sample.sentence, FOLDS, generator)
    made: dict[str, list[Fold]] = {"plain": [], "control": [], "centred": []}
    x, language = sample.x.double(), sample.language
    for number in range(FOLDS):
        test = dealt == number
        label = language[~test]
        shuffled = label[torch.randperm(len(label), generator=generator)]
        mean = torch.stack([x[~test][label == k].mean(0) for k in range(sample.n_languages)])
        for name, features, labels in (
            ("plain", x, label),
            ("control", x, shuffled),
            ("centred", x - mean[language], label),
        ):
            train = features[~test]
            spread = train.std(0, correction=0)
            z = ((features - train.mean(0)) / torch.where(spread > 0, spread, torch.inf)).float()
            made[name].append(Fold(z[~test], labels, z[test], language[test]))
    return made


def fit_ours(fold: Fold, languages: int, strength: float) -> Tensor:
    """Coefficients (D + 1, K), the intercept last."""
    return fit_logistic(fold.x, fold.labels.unsqueeze(0), languages, C=strength)[0]


def fit_theirs(fold: Fold, strength: float, solver: Solver) -> Tensor:
    model = LogisticRegression(C=strength, tol=solver.tol, max_iter=10_000)
    with warnings.catch_warnings():  # its objective is compared, whatever it thinks of its convergence
        warnings.simplefilter("ignore")
        model.fit(fold.x.numpy().astype(solver.dtype), fold.labels.numpy())
    return torch.from_numpy(np.vstack([model.coef_.T, model.intercept_]))


def objective(fold: Fold, w: Tensor, strength: float) -> float:
    """C times the sum of cross-entropies, plus |W|^2 / 2, in float64."""
    w = w.double()
    log_p = (fold.x.double() @ w[:-1] + w[-1]).log_softmax(1)
    return float(w[:-1].square().sum() / 2 - strength * log_p.gather(1, fold.labels.unsqueeze(1)).sum())


def accuracy(fold: Fold, w: Tensor) -> float:
    guess = (fold.held_out.double() @ w[:-1].double() + w[-1].double()).argmax(1)
    return float((guess == fold.truth).double().mean())


def choose(size: Size, strength: float) -> tuple[Solver, Solver]:
    """The loosest solver that reaches the optimum in one fold, and the default one."""
    fold = _one(size)
    best = objective(fold, fit_ours(fold, size.languages, strength), strength)
    for solver, tighter in zip(tried := [Solver(*found) for found in SOLVERS], tried[1:], strict=False):
        reached = objective(fold, fit_theirs(fold, strength, solver), strength)
        if reached <= (1 + SAME / 2) * best:  # else nothing tighter can tell either
            best = min(best, reached, objective(fold, fit_theirs(fold, strength, tighter), strength))
            if reached <= (1 + SAME / 2) * best:
                return solver, tried[0]
    raise ValueError(
        f"Expected scikit-learn to reach the optimum at C={strength}, but it did not with tol={tried[-1].tol}"
    )


def excess_of(size: Size, strength: float, solver: Solver) -> float:
    """Relative excess of its objective over ours, in one fold of the middle layer."""
    fold = _one(size)
    return (
        objective(fold, fit_theirs(fold, strength, solver), strength)
        / objective(fold, fit_ours(fold, size.languages, strength), strength)
        - 1
    )


def _one(size: Size) -> Fold:
    return folds_of(size.sample(size.layers // 2))["plain"][0]


def described(size: Size, layers: Sequence[int]) -> str:
    return f"{size.languages} x {size.sentences} points x {size.width}, {FOLDS} folds, {len(layers)} layers"

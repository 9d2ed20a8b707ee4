"""Multinomial logistic regression for probes: scikit-learn's optimum, found faster for many labellings of one x."""

from collections.abc import Sequence
from math import inf

import torch
from torch import Tensor

from babelscope.metrics.hardware import threads_for
from babelscope.metrics.precision import full_precision
from babelscope.metrics.probes.designs import SharedDesign, StackedDesigns
from babelscope.metrics.probes.lbfgs import minimise

TOLERANCE = 2e-5  # bound on the relative distance of the objective from its optimum; the actual distance is far smaller
LANES = 16
"""float32 numbers in a vector register: products with 31 columns take up to twice as long as with 32."""


def fit_logistic(
    x: Tensor,
    labels: Tensor,
    classes: int,
    *,
    C: float = 1.0,  # noqa: N803  (the name that scikit-learn made known)
    weight: Tensor | None = None,
    max_iter: int = 5000,
) -> Tensor:
    """Fit V labellings (V, n) of the same points x (n, D), weighted by (V, n): `fit_together` of one table."""
    weights = None if weight is None else [weight]
    return fit_together([x], [labels], classes, C=C, weights=weights, max_iter=max_iter)[0]


@torch.no_grad()
def fit_together(
    tables: Sequence[Tensor],
    labels: Sequence[Tensor],
    classes: int,
    *,
    C: float = 1.0,  # noqa: N803
    weights: Sequence[Tensor] | None = None,
    max_iter: int = 5000,
    longest: int = 0,
) -> list[Tensor]:
    """Fit labellings of points side by side: minimise C * sum of weighted cross-entropies + |W|^2 / 2 for each.

    L-BFGS starts from the Hessian at zero, C x'x / K + I, whose factor is shared by all classes and labellings of a
    table. A labelling has converged once |gradient|^2 / 2 is below its tolerance; with the unit penalty, this bounds
    the excess of the objective. The unpenalised intercept is held to the same measure. Tables are processed side by
    side in batched products, to share the overhead of small operations, which is most of the time for a thousand
    points. On a processor, no bit of a table's fits depends on which others are beside it, if `longest` is the same.

    Args:
        tables: (n, D) float32 features each, of about unit variance for speed; n may differ, D may not.
        labels: (V, n) int64 classes from 0 to K - 1 for each table, each class present in each labelling.
        classes: K, at least 2.
        C: Inverse strength of the penalty, as in scikit-learn.
        weights: (V, n) weights of the points for each table; 1 if omitted.
        max_iter: Iterations allowed.
        longest: Points of the longest table that will ever be fitted beside these; if omitted, of these.

    Returns:
        For each table (V, D + 1, K) coefficients; the last row is the intercept.

    Raises:
        ValueError: if C is not positive, a class is absent, or a fit has not converged.
    """
    for x, own in zip(tables, labels, strict=True):
        check_classes(own, classes, C)
        check_features(x)
    alone = len(tables) == 1
    points, width = max(map(len, tables)), tables[0].shape[1]
    if not alone:  # whole registers for every thread: torch's softmax takes another exp for what is left over
        points = max(points, longest)
        points += -points % (LANES * torch.get_num_threads())
    table = torch.arange(len(tables)).repeat_interleave(torch.tensor([len(own) for own in labels]))
    weights = [torch.ones_like(own) for own in labels] if weights is None else weights
    sample_weight = C * torch.cat([_padded(own.to(tables[0].dtype), points) for own in weights]).unsqueeze(1)
    filler = -classes % LANES if 4 * (-classes % LANES) <= classes else 0
    logits = tables[0].new_zeros(len(table), classes + filler, points)
    logits[:, classes:] = -torch.inf
    penalty = logits.new_ones(width + 1)
    penalty[-1] = 0
    with full_precision(logits.device), threads_for(logits.numel() * width):
        design = (
            SharedDesign(tables[0], sample_weight, classes)
            if alone
            else StackedDesigns(tables, table, sample_weight, classes)
        )
        w, _ = minimise(
            logits,
            torch.cat([_padded(own, points) for own in labels]),
            sample_weight,
            penalty,
            forward=design.forward,
            backward=design.backward,
            solve=design.solve,
            max_iter=max_iter,
            tolerance=TOLERANCE,
        )
    return [*w[:, :classes].mT.contiguous().split([len(own) for own in labels])]


def _padded(x: Tensor, points: int) -> Tensor:
    """Pad (..., n) with points of value 0, which have no weight, up to the length of the longest table."""
    return x if x.shape[-1] == points else torch.nn.functional.pad(x, (0, points - x.shape[-1]))


def check_features(x: Tensor) -> None:
    """Refuse features (n, D) that are not finite."""
    if not bool(x.isfinite().all()):
        row = int((~x.isfinite()).any(1).nonzero()[0])
        raise ValueError(f"Expected argument `x` to be finite, but row {row} is not; drop it or look for overflow")


def check_classes(labels: Tensor, classes: int, strength: float) -> None:
    """Refuse labellings (V, n) that lack one of the classes, and a strength that is not positive."""
    if not 0 < strength < inf:
        raise ValueError(
            f"Expected argument `C` to be positive and finite, but got {strength}; 1.0 is the usual choice"
        )
    absent = [int(k) for row in labels for k in (torch.bincount(row, minlength=classes) == 0).nonzero().flatten()]
    if absent or classes < 2:
        raise ValueError(
            f"Expected at least 2 classes and points of each in every training fold, but got {classes} classes and "
            f"none of class {absent[:1] or 1}; add sentences or languages, or lower folds"
        )

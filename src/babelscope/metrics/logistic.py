"""Multinomial logistic regression for probes: scikit-learn's optimum, found faster for many labellings of one x."""

from functools import cache

import torch
from torch import Tensor

from babelscope.metrics.descend import descend
from babelscope.metrics.precision import full_precision, product

TOLERANCE = 2e-5  # bound on the relative distance of the objective from its optimum; what is left is far less
LANES = 16  # float32 numbers in a vector register: products with 31 columns take up to twice as long as with 32


@torch.no_grad()
def fit_logistic(
    x: Tensor,
    labels: Tensor,
    classes: int,
    *,
    C: float = 1.0,  # noqa: N803  (the name that scikit-learn made known)
    weight: Tensor | None = None,
    max_iter: int = 5000,
) -> Tensor:
    """Fit V labellings of the same n points: minimise C * sum of weighted cross-entropies + |W|^2 / 2 for each.

    L-BFGS started from the Hessian at zero, C x'x / K + I, whose factor is shared by all classes and labellings. A
    labelling has converged once |gradient|^2 / 2, which the unit penalty makes a bound on the excess of the objective,
    is below its tolerance; the intercept, unpenalised, is held to the same measure.

    Args:
        x: (n, D) float32 features, of about unit variance for speed.
        labels: (V, n) int64 classes from 0 to K - 1, each present in each labelling.
        classes: K, at least 2.
        C: Inverse strength of the penalty, as in scikit-learn.
        weight: (V, n) weights of the points; equal to 1 if omitted.
        max_iter: Iterations allowed.

    Returns:
        (V, D + 1, K) coefficients; the last row is the intercept.

    Raises:
        ValueError: If C is not positive, a class is absent, or the fit has not converged.
    """
    check_classes(labels, classes, C)
    check_features(x)
    points, width = x.shape
    share = C * (torch.ones_like(labels, dtype=x.dtype) if weight is None else weight.to(x.dtype)).unsqueeze(1)
    filler = -classes % LANES if 4 * (-classes % LANES) <= classes else 0
    logits = x.new_zeros(len(labels), classes + filler, points)
    logits[:, classes:] = -torch.inf
    penalty = x.new_ones(width + 1)
    penalty[-1] = 0

    @cache
    def root() -> tuple[Tensor, Tensor]:
        lower = hessian_root(x, share.mean(0).T, classes)
        return lower, lower.T.contiguous()

    def solve(q: Tensor) -> Tensor:
        lower, upper = root()
        return product(product(q.flatten(0, 1), lower), upper).view_as(q)

    columns = x.T.contiguous()

    def forward(w: Tensor) -> Tensor:
        return product(w[:, :, :-1].reshape(-1, width), x).view(len(w), -1, points) + w[:, :, -1:]

    def backward(residual: Tensor) -> Tensor:
        slopes = product(residual.reshape(-1, points), columns)
        return torch.cat([slopes.view(*residual.shape[:2], width), residual.sum(2, keepdim=True)], dim=2)

    with full_precision(x.device):
        w, _ = descend(
            logits,
            labels,
            share,
            penalty,
            forward=forward,
            backward=backward,
            solve=solve,
            max_iter=max_iter,
            tolerance=TOLERANCE,
        )
    return w[:, :classes].mT.contiguous()


def hessian_root(x: Tensor, share: Tensor, classes: int) -> Tensor:
    """Return the inverse Cholesky factor T, (D + 1, D + 1), of the Hessian at zero: T'T is its inverse.

    A product with T'T stays positive however the features are scaled, which one with the rounded inverse does not.

    Args:
        x: (n, D) float32 features.
        share: (n, 1) weights of the points, C included.
        classes: K.
    """
    weighted = x * (share / classes)
    hessian = x.new_zeros(x.shape[1] + 1, x.shape[1] + 1, dtype=torch.float64)
    hessian[:-1, :-1] = weighted.T @ x
    hessian[-1, :-1] = hessian[:-1, -1] = weighted.sum(0)
    hessian[-1, -1] = share.sum() / classes + 1e-6 - 1
    hessian.diagonal().add_(1)  # the penalty, of which the intercept has none
    # The product in float32 may be off by so much; it is a start only, so more of the penalty does no harm.
    hessian.diagonal().add_(len(hessian) * 2.0**-23 * hessian.diagonal().max())
    factor = torch.linalg.cholesky(hessian)
    one = torch.eye(len(factor), dtype=factor.dtype, device=x.device)
    return torch.linalg.solve_triangular(factor, one, upper=False).to(x.dtype)


def check_features(x: Tensor) -> None:
    """Refuse features (n, D) that are not finite."""
    if not bool(x.isfinite().all()):
        row = int((~x.isfinite()).any(1).nonzero()[0])
        raise ValueError(f"Expected argument `x` to be finite, but row {row} is not; drop it or look for overflow")


def check_classes(labels: Tensor, classes: int, strength: float) -> None:
    """Refuse labellings (V, n) that lack one of the classes, and a strength that is not positive."""
    if not strength > 0:
        raise ValueError(f"Expected argument `C` to be positive, but got {strength}; 1.0 is the usual choice")
    absent = [int(k) for row in labels for k in (torch.bincount(row, minlength=classes) == 0).nonzero().flatten()]
    if absent or classes < 2:
        raise ValueError(
            f"Expected at least 2 classes and points of each in every training fold, but got {classes} classes and "
            f"none of class {absent[:1] or 1}; add sentences or languages, or lower folds"
        )

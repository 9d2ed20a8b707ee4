"""Predictions of logistic probes on points that they have not seen: all folds of a cross-validation fitted at once."""

import torch
from torch import Tensor

from babelscope.metrics.precision import full_precision
from babelscope.metrics.probes.lbfgs import minimise
from babelscope.metrics.probes.logistic import check_classes, check_features

TOLERANCE = 1e-7  # coarser tolerances change predictions where classes overlap


@torch.no_grad()
def cross_val_predict(
    x: Tensor,
    labels: Tensor,
    fold: Tensor,
    classes: int,
    *,
    C: float = 1.0,  # noqa: N803  (the name that scikit-learn made known)
    max_iter: int = 1000,
) -> Tensor:
    """Predict every point by scikit-learn's logistic regression, with two classes or more, fitted on the other folds.

    All folds read the same rows, so each step costs two products of x with many columns instead of many products with
    few. The rows are centred: the intercept compensates for it, and it removes the one direction in which a table of
    embeddings is long. For short rows, the penalty is then most of the curvature, and no Hessian is needed.

    Args:
        x: (n, D) float32 features, of length 1 or so for speed; centred in place.
        labels: (n,) int64 classes from 0 to K - 1.
        fold: (n,) int64 fold that each point is held out with; each class has to be in every training part.
        classes: K, at least 2.
        C: Inverse strength of the penalty, as in scikit-learn.
        max_iter: Iterations allowed.

    Returns:
        (n,) int64 predicted classes.

    Raises:
        ValueError: if C is not positive, a class is absent, or a fit has not converged.
    """
    check_classes(labels[None], classes, C)
    check_features(x)
    points, width = x.shape
    folds = int(fold.max()) + 1
    x -= x.mean(0)
    two = classes == 2
    # Two columns are opposite, so one is enough; each is half of scikit-learn's coefficients, which halves the penalty.
    strength = C / 2 if two else C
    columns = 1 if two else classes
    seen = fold != torch.arange(folds, device=fold.device).unsqueeze(1)  # (folds, n)
    sample_weight = (strength * seen.to(x.dtype)).unsqueeze(1)
    penalty = x.new_ones(width + 1)
    penalty[-1] = 0
    start = torch.ones_like(penalty)
    start[-1] = classes / float(sample_weight[0].sum())

    def forward(_: Tensor, w: Tensor) -> Tensor:
        logits = (w[:, :columns, :-1].reshape(-1, width) @ x.T).view(-1, columns, points) + w[:, :columns, -1:]
        return torch.cat([logits, -logits], dim=1) if two else logits

    def backward(_: Tensor, residual: Tensor) -> Tensor:
        residual = residual[:, :columns]
        slopes = (residual.reshape(-1, points) @ x).view(-1, columns, width)
        gradient = torch.cat([slopes, residual.sum(2, keepdim=True)], dim=2)
        return torch.cat([gradient, -gradient], dim=1) if two else gradient

    with full_precision(x.device):
        _, logits = minimise(
            x.new_zeros(folds, classes, points),
            labels.expand(folds, -1),
            sample_weight,
            penalty,
            forward=forward,
            backward=backward,
            solve=lambda _, q: start * q,
            max_iter=max_iter,
            tolerance=TOLERANCE,
        )
    return logits[fold, :, torch.arange(points, device=fold.device)].argmax(1)

"""Multinomial logistic regression for probes: scikit-learn's optimum, found faster for many labellings of one x."""

import torch
from torch import Tensor

from babelscope.metrics.precision import full_precision

MEMORY = 10  # curvature pairs kept
TOLERANCE = 5e-6  # bound on the relative distance of the objective from its optimum


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
    count, points = labels.shape
    _check(labels, classes, C)
    design = torch.cat([x, x.new_ones(points, 1)], dim=1)
    penalty = design.new_ones(design.shape[1], 1)
    penalty[-1] = 0
    # (V, n, 1) weights; (V, n, K) targets
    share = C * (torch.ones_like(labels, dtype=x.dtype) if weight is None else weight.to(x.dtype)).unsqueeze(2)
    target = torch.nn.functional.one_hot(labels, classes).to(x.dtype)
    with full_precision(x.device):
        hessian = (design * share.mean(0)).T @ design / classes
        factor = torch.linalg.cholesky(hessian.double() + torch.diag(penalty.squeeze(1).double() + 1e-6)).to(x.dtype)
        w = design.new_zeros(count, design.shape[1], classes)
        logits = design.new_zeros(count, points, classes)
        value, residual = _loss(logits, target, share)
        gradient = design.T @ residual
        steps: list[Tensor] = []
        changes: list[Tensor] = []
        for _ in range(max_iter):
            unfinished = _dot(gradient, gradient) / 2 > TOLERANCE * value
            if not bool(unfinished.any()):
                return w
            direction = -_precondition(gradient, steps, changes, factor)
            moved = design @ direction
            alpha = _line_search(
                logits,
                moved,
                target,
                share,
                slope=_dot(penalty * w, direction),
                curvature=_dot(penalty * direction, direction),
            )
            # What has converged rests: its further steps would be rounding.
            alpha = torch.where(unfinished, alpha, 0.0)
            step = alpha * direction
            w = w + step
            logits = logits + alpha * moved
            value, residual = _loss(logits, target, share)
            value = value + _dot(penalty * w, w) / 2
            before, gradient = gradient, design.T @ residual + penalty * w
            steps, changes = [*steps[-MEMORY + 1 :], step], [*changes[-MEMORY + 1 :], gradient - before]
    raise ValueError(
        f"Expected argument `max_iter` to suffice for the probe, but {max_iter} iterations did not converge; "
        f"raise max_iter or lower C"
    )


def _check(labels: Tensor, classes: int, strength: float) -> None:
    if not strength > 0:
        raise ValueError(f"Expected argument `C` to be positive, but got {strength}; 1.0 is the usual choice")
    absent = [int(k) for row in labels for k in (torch.bincount(row, minlength=classes) == 0).nonzero().flatten()]
    if absent or classes < 2:
        raise ValueError(
            f"Expected at least 2 classes and points of each in every training fold, but got {classes} classes and "
            f"none of class {absent[:1] or 1}; add sentences or languages, or lower folds"
        )


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """Inner product of each labelling, (V, 1, 1)."""
    return (a * b).sum((1, 2), keepdim=True, dtype=torch.float64).to(a.dtype)


def _ratio(a: Tensor, b: Tensor) -> Tensor:
    """Divide, giving 0 where b is not positive: a pair without curvature is skipped."""
    return torch.where(b > 0, a / b, 0.0)


def _loss(logits: Tensor, target: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
    """Weighted cross-entropy (V, 1, 1) and its derivative by the logits (V, n, K)."""
    log_p = logits.log_softmax(2)
    return -_dot(share * target, log_p), share * (log_p.exp() - target)


def _precondition(gradient: Tensor, steps: list[Tensor], changes: list[Tensor], factor: Tensor) -> Tensor:
    """Multiply by the L-BFGS inverse Hessian (Nocedal & Wright 2006, algorithm 7.4), started from `factor`."""
    q = gradient
    weights = []
    for step, change in zip(reversed(steps), reversed(changes), strict=True):
        a = _ratio(_dot(step, q), _dot(step, change))
        weights.append(a)
        q = q - a * change
    q = torch.cholesky_solve(q, factor.expand(len(q), -1, -1))
    if steps:
        solved = torch.cholesky_solve(changes[-1], factor.expand(len(q), -1, -1))
        bent = _dot(steps[-1], changes[-1])
        q = q * torch.where(bent > 0, _ratio(bent, _dot(changes[-1], solved)), 1.0)
    for step, change, a in zip(steps, changes, reversed(weights), strict=True):
        q = q + step * (a - _ratio(_dot(change, q), _dot(step, change)))
    return q


def _line_search(
    logits: Tensor, moved: Tensor, target: Tensor, share: Tensor, *, slope: Tensor, curvature: Tensor
) -> Tensor:
    """Return step lengths (V, 1, 1) that halve the slope of the convex objective, by Newton kept in a bracket.

    The product `moved` = x @ direction is known, so each trial costs a softmax and no matrix product.
    """
    low = torch.zeros_like(slope)
    high = torch.full_like(slope, torch.inf)
    alpha = torch.ones_like(slope)
    start = (_dot(share * (logits.softmax(2) - target), moved) + slope).abs()
    for _ in range(30):
        p = (logits + alpha * moved).softmax(2)
        mean = (p * moved).sum(2, keepdim=True)
        fall = _dot(share * (p - target), moved) + slope + alpha * curvature
        bend = _dot(share * p, (moved - mean).square()) + curvature
        settled = fall.abs() <= 0.5 * start
        if bool(settled.all()):
            break
        low = torch.where(fall < 0, alpha, low)
        high = torch.where(fall > 0, alpha, high)
        newton = alpha - fall / bend
        middle = torch.where(high.isinf(), 2 * alpha, (low + high) / 2)
        inside = (newton > low) & (newton < high.clamp(max=1e30)) & (newton < 10 * alpha)
        alpha = torch.where(settled, alpha, torch.where(inside, newton, middle))
    return alpha

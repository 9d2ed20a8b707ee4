"""Multinomial logistic regression for probes: scikit-learn's optimum, found faster for many labellings of one x."""

from collections.abc import Callable

import torch
from torch import Tensor

from babelscope.metrics.precision import full_precision

MEMORY = 10  # curvature pairs kept
TRIALS = 30  # of a line search
Map = Callable[[Tensor], Tensor]
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
    check_classes(labels, classes, C)
    design = torch.cat([x, x.new_ones(len(x), 1)], dim=1)
    penalty = design.new_ones(design.shape[1])
    penalty[-1] = 0
    share = C * (torch.ones_like(labels, dtype=x.dtype) if weight is None else weight.to(x.dtype)).unsqueeze(1)
    with full_precision(x.device):
        hessian = (design * share.mean(0).T).T @ design / classes
        factor = torch.linalg.cholesky(hessian.double() + torch.diag(penalty.double() + 1e-6)).to(x.dtype)
        w, _ = descend(
            one_hot(labels, classes, x.dtype),
            share,
            penalty,
            forward=lambda w: w @ design.T,
            backward=lambda residual: residual @ design,
            solve=lambda q: torch.cholesky_solve(q.mT, factor.expand(len(q), -1, -1)).mT,
            max_iter=max_iter,
        )
    return w.mT.contiguous()


def descend(
    target: Tensor,
    share: Tensor,
    penalty: Tensor,
    *,
    forward: Map,
    backward: Map,
    solve: Map,
    max_iter: int,
    tolerance: float = TOLERANCE,
) -> tuple[Tensor, Tensor]:
    """Minimise weighted cross-entropies plus penalty * w^2 / 2 by L-BFGS, for V problems side by side.

    Args:
        target: (V, K, n) one-hot classes.
        share: (V, 1, n) weights, C included; 0 leaves a point out.
        penalty: (D + 1,) of each coefficient: 1, but 0 for the intercept, which is last.
        forward: From coefficients (V, K, D + 1) to logits (V, K, n), linearly.
        backward: Its transpose.
        solve: What L-BFGS starts from: an approximate inverse of the Hessian, applied to (V, K, D + 1).
        max_iter: Iterations allowed.
        tolerance: Bound on the relative distance of each objective from its optimum.

    Returns:
        (V, K, D + 1) coefficients and (V, K, n) logits.

    Raises:
        ValueError: If a problem has not converged.
    """
    logits = torch.zeros_like(target)
    log_p = logits.log_softmax(1)
    residual = share * (log_p.exp() - target)
    gradient = backward(residual)
    w = torch.zeros_like(gradient)
    steps: list[Tensor] = []
    changes: list[Tensor] = []
    for _ in range(max_iter):
        value = _dot(penalty * w, w) / 2 - _dot(share * target, log_p)
        unfinished = _dot(gradient, gradient) / 2 > tolerance * value
        if not bool(unfinished.any()):
            return w, logits
        # What has converged rests: its further steps would be rounding.
        direction = torch.where(unfinished, -_precondition(gradient, steps, changes, solve), 0.0)
        moved = forward(direction)
        alpha, log_p, after = _line_search(
            logits,
            moved,
            target,
            share,
            start=_dot(gradient, direction),
            slope=_dot(penalty * w, direction),
            curvature=_dot(penalty * direction, direction),
        )
        step = alpha * direction
        w = w + step
        logits = logits + alpha * moved
        before, gradient = gradient, backward(after) + penalty * w
        steps, changes = [*steps[-MEMORY + 1 :], step], [*changes[-MEMORY + 1 :], gradient - before]
    raise ValueError(
        f"Expected argument `max_iter` to suffice for the probe, but {max_iter} iterations did not converge; "
        f"raise max_iter or lower C"
    )


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


def one_hot(labels: Tensor, classes: int, dtype: torch.dtype) -> Tensor:
    """(V, K, n) classes of (V, n) labels, the points in the last dimension, where sums over few classes are fast."""
    return (labels.unsqueeze(1) == torch.arange(classes, device=labels.device).unsqueeze(1)).to(dtype)


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """Inner product of each labelling, (V, 1, 1)."""
    return (a * b).sum((1, 2), keepdim=True, dtype=torch.float64).to(a.dtype)


def _ratio(a: Tensor, b: Tensor) -> Tensor:
    """Divide, giving 0 where b is not positive: a pair without curvature is skipped."""
    return torch.where(b > 0, a / b, 0.0)


def _precondition(gradient: Tensor, steps: list[Tensor], changes: list[Tensor], solve: Map) -> Tensor:
    """Multiply by the L-BFGS inverse Hessian (Nocedal & Wright 2006, algorithm 7.4), started from `solve`."""
    q = gradient
    weights = []
    for step, change in zip(reversed(steps), reversed(changes), strict=True):
        a = _ratio(_dot(step, q), _dot(step, change))
        weights.append(a)
        q = q - a * change
    q = solve(q)
    if steps:
        solved = solve(changes[-1])
        bent = _dot(steps[-1], changes[-1])
        q = q * torch.where(bent > 0, _ratio(bent, _dot(changes[-1], solved)), 1.0)
    for step, change, a in zip(steps, changes, reversed(weights), strict=True):
        q = q + step * (a - _ratio(_dot(change, q), _dot(step, change)))
    return q


def _line_search(
    logits: Tensor, moved: Tensor, target: Tensor, share: Tensor, *, start: Tensor, slope: Tensor, curvature: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Find steps (V, 1, 1) that halve the slope `start` of the convex objective, by Newton kept in a bracket.

    The product `moved` of the direction is known, so each trial costs a softmax and no matrix product. With the steps
    come the logarithms of the probabilities there, and the residuals.
    """
    low = torch.zeros_like(slope)
    high = torch.full_like(slope, torch.inf)
    alpha = torch.ones_like(slope)
    for trial in range(TRIALS):
        log_p = (logits + alpha * moved).log_softmax(1)
        p = log_p.exp()
        residual = share * (p - target)
        fall = _dot(residual, moved) + slope + alpha * curvature
        settled = fall.abs() <= 0.5 * start.abs()
        if trial == TRIALS - 1 or bool(settled.all()):
            break
        mean = (p * moved).sum(1, keepdim=True)
        bend = _dot(share * p, (moved - mean).square()) + curvature
        low = torch.where(fall < 0, alpha, low)
        high = torch.where(fall > 0, alpha, high)
        newton = alpha - fall / bend
        middle = torch.where(high.isinf(), 2 * alpha, (low + high) / 2)
        inside = (newton > low) & (newton < high.clamp(max=1e30)) & (newton < 10 * alpha)
        alpha = torch.where(settled, alpha, torch.where(inside, newton, middle))
    return alpha, log_p, residual

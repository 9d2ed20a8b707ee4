"""Weighted cross-entropies with an L2 penalty minimised by preconditioned L-BFGS, for many problems side by side."""

from collections.abc import Callable

import torch
from torch import Tensor

from babelscope.metrics.probes.inverse_hessian import InverseHessian

TRIALS = 30  # steps tried in a line search
ROUNDING = 1e-7  # a gap that is a smaller share of the objective is rounding
Map = Callable[[Tensor, Tensor], Tensor]
"""A linear map of a tensor of problems; its first argument names the remaining problems: (V,), CPU, ascending."""


def minimise(
    logits: Tensor,
    labels: Tensor,
    sample_weight: Tensor,
    penalty: Tensor,
    *,
    forward: Map,
    backward: Map,
    solve: Map,
    max_iter: int,
    tolerance: float,
) -> tuple[Tensor, Tensor]:
    """Minimise the weighted cross-entropies plus penalty * w^2 / 2 of V problems.

    A problem has converged once |gradient|^2 / 2 is at most `tolerance` times its objective, and at most `tolerance`
    times the decrease of the objective since w = 0, which is small if there is little to learn. With a penalty of 1,
    |gradient|^2 / 2 is the duality gap, a bound on the excess over the optimum. The unpenalised intercept is held to
    the same measure. Converged problems leave the products, so V shrinks.

    Args:
        logits: (V, K, n) at w = 0: 0, or -inf for a filler class that no point has.
        labels: (V, n) int64 classes.
        sample_weight: (V, 1, n) weights of the points, C included; 0 leaves a point out.
        penalty: (D + 1,) penalty of each coefficient: 1, and 0 for the intercept, which is last.
        forward: From coefficients (V, K, D + 1) to logits (V, K, n).
        backward: Its transpose.
        solve: Start of L-BFGS: an approximate inverse of the Hessian, applied to (V, K, D + 1). Not called for problems
            whose optimum is w = 0.
        max_iter: Iterations allowed.
        tolerance: Bound on the relative distance of each objective from its optimum; at least 1e-7.

    Returns:
        (V, K, D + 1) coefficients and (V, K, n) logits.

    Raises:
        ValueError: if a problem has not converged.
    """
    finished = []
    left = torch.arange(len(logits))
    residual, loss = _residual(logits, labels, sample_weight)
    unfitted = loss
    gradient = backward(left, residual)
    w = torch.zeros_like(gradient)
    preconditioned = gradient
    inverse = InverseHessian()
    for iteration in range(max_iter):
        value = loss + _dot(penalty * w, w) / 2
        bound = torch.maximum(tolerance * torch.minimum(value, unfitted - value), ROUNDING * value)
        unfinished = ~(_dot(gradient, gradient) / 2 <= bound)  # NaN counts as unfinished
        # besides the line search, the only wait for the device
        remaining = unfinished.flatten().nonzero().squeeze(1)
        if len(remaining) < len(left):
            done = (~unfinished).flatten()
            finished.append((left[done.cpu()], w[done], logits[done]))
            if not len(remaining):
                break
            left = left[remaining.cpu()]
            w, logits, labels, sample_weight, gradient, preconditioned, unfitted = (
                own[remaining] for own in (w, logits, labels, sample_weight, gradient, preconditioned, unfitted)
            )
            inverse.keep(remaining)
        if not iteration:
            preconditioned = solve(left, gradient)
        direction = -inverse.multiply(gradient.flatten(1), preconditioned.flatten(1)).view_as(gradient)
        start = _dot(gradient, direction)
        # Rounding may turn a direction uphill; the preconditioned gradient is always downhill.
        direction = torch.where(start < 0, direction, -preconditioned)
        alpha, logits, residual, loss = _line_search(
            logits,
            forward(left, direction),
            labels,
            sample_weight,
            start=_dot(gradient, direction),
            penalty_slope=_dot(penalty * w, direction),
            penalty_curvature=_dot(penalty * direction, direction),
        )
        step = alpha * direction
        w = w + step
        before, gradient = gradient, backward(left, residual) + penalty * w
        once, preconditioned = preconditioned, solve(left, gradient)
        inverse.update(step.flatten(1), (gradient - before).flatten(1), (preconditioned - once).flatten(1))
    else:
        raise ValueError(
            f"Expected argument `max_iter` to suffice for the probe, but {max_iter} iterations did not converge; "
            f"raise max_iter, lower C, or bring the features to unit variance"
        )
    order = torch.cat([own for own, _, _ in finished]).argsort().to(logits.device)
    w, logits = (torch.cat(own)[order] for own in list(zip(*finished, strict=True))[1:])
    return w, logits


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """Return the inner product of each problem (V, 1, 1).

    Only the last sum is float64; float64 throughout is no sharper and takes up to three times as long.
    """
    return (a * b).sum(2, keepdim=True).sum(1, keepdim=True, dtype=torch.float64).to(a.dtype)


def _residual(logits: Tensor, labels: Tensor, sample_weight: Tensor) -> tuple[Tensor, Tensor]:
    """Return the loss's derivatives by the logits (V, K, n) and the loss (V, 1, 1)."""
    p = logits.softmax(1)
    own = labels.unsqueeze(1)
    right = p.gather(1, own)
    # Sum the other classes: 1 - p would be rounding for a well-separated point, and with a large C all points are.
    wrong = p.scatter_(1, own, 0.0).sum(1, keepdim=True)
    loss = torch.where(wrong < 0.5, -torch.log1p(-wrong), -right.clamp_min(1e-37).log())
    return p.scatter_(1, own, -wrong).mul_(sample_weight), _dot(sample_weight, loss)


def _line_search(
    logits: Tensor,
    moved: Tensor,
    labels: Tensor,
    sample_weight: Tensor,
    *,
    start: Tensor,
    penalty_slope: Tensor,
    penalty_curvature: Tensor,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Find steps (V, 1, 1) that flatten the slope `start` of the convex objective, by Newton kept in a bracket.

    A step short of the minimum always descends, so it is enough if it takes a tenth off the slope. A step beyond the
    minimum may not descend, so it has to halve the slope. The product `moved` of the direction is known, so each trial
    costs a softmax and no matrix product. Returns the steps, and the logits, residuals and loss there.
    """
    low = torch.zeros_like(penalty_slope)
    high = torch.full_like(penalty_slope, torch.inf)
    alpha = torch.ones_like(penalty_slope)
    for trial in range(TRIALS):
        there = torch.addcmul(logits, alpha, moved)
        residual, loss = _residual(there, labels, sample_weight)
        fall = _dot(residual, moved) + penalty_slope + alpha * penalty_curvature
        settled = (fall >= 0.9 * start) & (fall <= -0.5 * start)
        if trial == TRIALS - 1 or bool(settled.all()):
            break
        p = there.softmax(1)
        mean = (p * moved).sum(1, keepdim=True)
        newton = alpha - fall / (_dot(sample_weight * p, (moved - mean).square()) + penalty_curvature)
        low = torch.where(fall < 0, alpha, low)
        high = torch.where(fall > 0, alpha, high)
        middle = torch.where(high.isinf(), 2 * alpha, (low + high) / 2)
        inside = (newton > low) & (newton < high.clamp(max=1e30)) & (newton < 10 * alpha)
        alpha = torch.where(settled, alpha, torch.where(inside, newton, middle))
    return alpha, there, residual, loss

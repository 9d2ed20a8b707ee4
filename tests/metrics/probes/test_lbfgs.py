import pytest
import torch

from babelscope.metrics.probes.lbfgs import _dot, _line_search, _residual


def problem(scale, *, problems=4, classes=5, points=30, width=7):
    """Points, labels and coefficients with a direction downhill, `scale` times as long as the negative gradient."""
    g = torch.Generator().manual_seed(0)
    x = torch.randn(points, width, generator=g, dtype=torch.float64)
    labels = torch.randint(classes, (problems, points), generator=g)
    w = torch.randn(problems, classes, width, generator=g, dtype=torch.float64).requires_grad_()
    (gradient,) = torch.autograd.grad(objective(x, labels, w).sum(), w)
    return x, labels, w.detach(), -scale * gradient


def objective(x, labels, w):
    """Cross-entropy plus half the squared coefficients, by torch's own functions."""
    entropy = torch.nn.functional.cross_entropy(w @ x.T, labels, reduction="none").sum(1)
    return entropy + w.square().sum((1, 2)) / 2


# a step of 1 from far too short to far too long
@pytest.mark.parametrize("scale", [1e-6, 1e-3, 0.03, 0.3, 3.0, 1e3])
def test_steps_flatten_the_slope_and_descend(scale):
    x, labels, w, direction = problem(scale)
    gradient = -direction / scale
    alpha, logits, residual, loss = _line_search(
        w @ x.T,
        direction @ x.T,
        labels,
        torch.ones(len(labels), 1, len(x), dtype=torch.float64),
        start=_dot(gradient, direction),
        penalty_slope=_dot(w, direction),
        penalty_curvature=_dot(direction, direction),
    )
    there = (w + alpha * direction).requires_grad_()
    after = objective(x, labels, there)
    (slopes,) = torch.autograd.grad(after.sum(), there)
    start, end = (_dot(own, direction).flatten() for own in (gradient, slopes))
    assert (end >= 0.9 * start).all()
    assert (end <= -0.5 * start).all()
    assert (after < objective(x, labels, w)).all()
    torch.testing.assert_close(logits, there.detach() @ x.T)
    torch.testing.assert_close(residual @ x, slopes - there.detach())
    torch.testing.assert_close(loss.flatten(), (after - there.square().sum((1, 2)) / 2).detach())


def test_residuals_are_the_loss_by_the_logits():
    g = torch.Generator().manual_seed(0)
    logits = (5 * torch.randn(3, 4, 20, generator=g, dtype=torch.float64)).requires_grad_()
    labels, weight = torch.randint(4, (3, 20), generator=g), torch.rand(3, 1, 20, generator=g, dtype=torch.float64)
    expected = torch.nn.functional.cross_entropy(logits, labels, reduction="none") * weight.squeeze(1)
    (slopes,) = torch.autograd.grad(expected.sum(), logits)
    residual, loss = _residual(logits.detach(), labels, weight)
    torch.testing.assert_close(residual, slopes)
    torch.testing.assert_close(loss.flatten(), expected.sum(1).detach())


def test_inner_products_are_as_sharp_as_float64s():
    g = torch.Generator().manual_seed(0)
    a, b = torch.randn(3, 31, 5000, generator=g), torch.randn(3, 31, 5000, generator=g)
    exact = (a.double() * b.double()).sum((1, 2))
    apart = (_dot(a, b).flatten().double() - exact).abs() / (a * b).abs().double().sum((1, 2))
    assert float(apart.max()) < 2.0**-24

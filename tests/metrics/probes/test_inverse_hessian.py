import torch

from babelscope.metrics.probes.inverse_hessian import PAIRS, InverseHessian


def two_loops(pairs, gradient, start):
    """Nocedal & Wright 2006, algorithm 7.4."""
    q, weights = gradient, []
    for step, change in reversed(pairs):
        weights.append((step @ q) / (step @ change))
        q = q - weights[-1] * change
    q = start @ q
    if pairs:
        step, change = pairs[-1]
        q = q * (step @ change) / (change @ start @ change)
    for (step, change), weight in zip(pairs, reversed(weights), strict=True):
        q = q + step * (weight - (change @ q) / (step @ change))
    return q


def problems(count, width=20):
    g = torch.Generator().manual_seed(0)
    root = torch.randn(count, width, width, generator=g, dtype=torch.float64)
    hessian = root @ root.mT / width + torch.eye(width)
    return hessian, torch.linalg.inv(hessian.mean(0)), lambda: torch.randn(count, width, generator=g).double()


def test_the_compact_form_is_the_two_loops():
    hessian, start, draw = problems(3)
    inverse, pairs = InverseHessian(), []
    for _ in range(PAIRS + 4):
        gradient = draw()
        found = inverse.multiply(gradient, gradient @ start)
        for v, row in enumerate(found):
            torch.testing.assert_close(row, two_loops([(s[v], y[v]) for s, y in pairs[-PAIRS:]], gradient[v], start))
        step = draw()
        change = (hessian @ step.unsqueeze(2)).squeeze(2)
        inverse.update(step, change, change @ start)
        pairs.append((step, change))


def test_a_pair_without_curvature_counts_for_nothing_and_problems_are_independent():
    hessian, start, draw = problems(2)
    both, one = InverseHessian(), InverseHessian()
    for number in range(4):
        step = draw()
        change = (hessian @ step.unsqueeze(2)).squeeze(2)
        if number == 1:
            step[1] = change[1] = 0
        both.update(step, change, change @ start)
        if number != 1:
            one.update(step[1:], change[1:], change[1:] @ start)
    gradient = draw()
    expected = one.multiply(gradient[1:], gradient[1:] @ start)
    torch.testing.assert_close(both.multiply(gradient, gradient @ start)[1:], expected)
    both.keep(torch.tensor([1]))
    torch.testing.assert_close(both.multiply(gradient[1:], gradient[1:] @ start), expected)

import pytest
import torch
from sklearn.linear_model import LogisticRegression

from babelscope.metrics.probes.lbfgs import _residual
from babelscope.metrics.probes.logistic import LANES, fit_logistic, fit_together
from tests.metrics.planted import plant


def objective(x, label, w, strength, weight):
    z = x.double() @ w[:-1].double() + w[-1].double()
    loss = torch.nn.functional.cross_entropy(z, label, reduction="none") * weight
    return (strength * loss.sum() + w[:-1].double().square().sum() / 2).item()


@pytest.mark.parametrize("strength", [0.01, 1.0, 30.0])
@pytest.mark.parametrize("offset", [0.0, 0.3, 3.0])
def test_optimum_is_scikit_learns(offset, strength):
    sample = plant(6, 30, 12, offset=offset, noise=0.5)
    x = (sample.x - sample.x.mean(0)) / sample.x.std(0)
    label = sample.language
    shuffled = label[torch.randperm(len(label), generator=torch.Generator().manual_seed(0))]
    weight = 0.5 + torch.rand(len(label), generator=torch.Generator().manual_seed(1)).double()
    found = fit_logistic(x, torch.stack([label, shuffled]), 6, C=strength, weight=weight.expand(2, -1))
    for own, w in zip((label, shuffled), found, strict=True):
        model = LogisticRegression(C=strength, tol=1e-8, max_iter=20_000)
        model.fit(x.double().numpy(), own.numpy(), sample_weight=weight.numpy())
        theirs = torch.cat([torch.from_numpy(model.coef_.T), torch.from_numpy(model.intercept_)[None]])
        best = objective(x, own, theirs, strength, weight)
        assert objective(x, own, w, strength, weight) == pytest.approx(best, rel=1e-4)
        right = ((x @ w[:-1] + w[-1]).argmax(1) == own).double().mean().item()
        assert right == pytest.approx(model.score(x.double().numpy(), own.numpy()), abs=2 / len(own))


def awkward():
    g = torch.Generator().manual_seed(0)
    label = torch.arange(31).repeat_interleave(12)
    noise = torch.randn(372, 20, generator=g)
    far = noise + 6 * torch.randn(31, 20, generator=g)[label]
    long = noise + 0.5 * torch.randn(31, 20, generator=g)[label]
    long = long + 100 * torch.randn(372, 1, generator=g) * torch.randn(20, generator=g)
    few = label < 2
    return {
        "far apart": (far, label),
        "one long direction": (long, label),
        "all points twice": (far[::2].repeat(2, 1) / 6, label[::2].repeat(2)),
        "constant features": (torch.cat([noise, torch.zeros(372, 3)], dim=1), label),
        "a single point": (torch.zeros(372, 4), label),
        "huge": (100 * noise, label),
        "more features than points": (torch.randn(24, 60, generator=g), label[few]),
    }


@pytest.mark.parametrize("strength", [0.01, 1.0, 100.0])
@pytest.mark.parametrize("case", awkward())
def test_the_objective_is_near_its_optimum(case, strength):
    x, label = awkward()[case]
    classes = int(label.max()) + 1
    g = torch.Generator().manual_seed(1)
    weight = torch.ones(len(label), dtype=torch.float64)
    labels = torch.stack([label, label[torch.randperm(len(label), generator=g)]])
    if case == "huge":
        strength /= 1e4
    together = fit_logistic(x, labels, classes, C=strength)
    exact = fit_logistic(x.double(), labels, classes, C=strength)
    for own, w, best in zip(labels, together, exact, strict=True):
        found, reference = (objective(x, own, some, strength, weight) for some in (w, best))
        assert found == pytest.approx(reference, rel=1e-4)
        # An oracle without the solver: |gradient|^2 / 2 bounds the distance of the reference from the optimum.
        v = best.clone().requires_grad_()
        loss = torch.nn.functional.cross_entropy(x.double() @ v[:-1] + v[-1], own, reduction="sum")
        (strength * loss + v[:-1].square().sum() / 2).backward()
        assert v.grad.square().sum().item() / 2 <= 4e-5 * reference


def test_a_labelling_is_fitted_alone_as_beside_others():
    x, label = awkward()["far apart"]
    shuffled = label[torch.randperm(len(label), generator=torch.Generator().manual_seed(1))]
    together = fit_logistic(x, torch.stack([label, shuffled]), 31)
    assert torch.equal(together, fit_logistic(x, torch.stack([label, shuffled]), 31))
    for own, w in zip((label, shuffled), together, strict=True):
        torch.testing.assert_close(fit_logistic(x, own[None], 31)[0], w, rtol=0, atol=0.02)


def test_tables_of_unequal_length_are_fitted_together_as_alone():
    g = torch.Generator().manual_seed(2)
    tables, labels, weights = [], [], []
    for points, labellings, apart in ((90, 2, 1.0), (60, 1, 0.0), (75, 3, 0.3)):
        own = torch.stack([torch.arange(points)[torch.randperm(points, generator=g)] % 5 for _ in range(labellings)])
        tables.append(torch.randn(points, 8, generator=g) + apart * torch.randn(5, 8, generator=g)[own[0]])
        labels.append(own)
        weights.append(0.5 + torch.rand(labellings, points, generator=g))
    found = fit_together(tables, labels, 5, C=2.0, weights=weights)
    assert [tuple(w.shape) for w in found] == [(2, 9, 5), (1, 9, 5), (3, 9, 5)]
    for x, some, weight, together in zip(tables, labels, weights, found, strict=True):
        exact = fit_logistic(x.double(), some, 5, C=2.0, weight=weight)
        for own, of, w, best in zip(some, weight.double(), together, exact, strict=True):
            assert objective(x, own, w, 2.0, of) == pytest.approx(objective(x, own, best, 2.0, of), rel=1e-4)
    with pytest.raises(ValueError, match=r"none of class \[4\]"):
        fit_together(tables, [labels[0], labels[1] % 4, labels[2]], 5)


def test_what_cannot_be_fitted_is_refused():
    x, label = torch.eye(4), torch.tensor([[0, 0, 1, 1]])
    with pytest.raises(ValueError, match="argument `C`"):
        fit_logistic(x, label, 2, C=0)
    with pytest.raises(ValueError, match=r"none of class \[2\]"):
        fit_logistic(x, label, 3)
    with pytest.raises(ValueError, match="2 classes"):
        fit_logistic(x, label * 0, 1)
    with pytest.raises(ValueError, match="argument `max_iter`"):
        fit_logistic(x, label, 2, max_iter=1)


def test_what_is_not_finite_is_refused():
    x = torch.randn(40, 5, generator=torch.Generator().manual_seed(0))
    x[3, 2] = torch.nan
    with pytest.raises(ValueError, match="argument `x` to be finite, but row 3"):
        fit_logistic(x, (torch.arange(40) % 4)[None], 4)


def test_a_hessian_that_rounding_makes_indefinite_is_a_start_all_the_same():
    g = torch.Generator().manual_seed(0)
    x = torch.randn(100, 300, generator=g)
    label = (torch.arange(100) % 2)[None]
    w = fit_logistic(x, label, 2, C=1e5)
    assert bool(((x @ w[0, :-1] + w[0, -1]).argmax(1) == label[0]).all())


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_derivatives_of_a_problem_do_not_depend_on_those_beside_it(threads):
    """If each thread has whole registers: else torch's softmax takes another exp at the end of its share."""
    labels = torch.arange(33 * LANES * threads) % 7
    logits = torch.randn(9, 7, len(labels), generator=torch.Generator().manual_seed(0))
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        whole = _residual(logits, labels.expand(9, -1), torch.ones(9, 1, len(labels)))
        for start in range(1, 9):
            part = _residual(logits[start:], labels.expand(9 - start, -1), torch.ones(9 - start, 1, len(labels)))
            assert all(torch.equal(own, every[start:]) for own, every in zip(part, whole, strict=True))
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("strength", [0.0, -1.0, float("inf"), float("nan")])
def test_a_strength_that_has_no_optimum_is_refused(strength):
    x, labels = torch.randn(8, 3, generator=torch.Generator().manual_seed(0)), torch.arange(8)[None] % 2
    with pytest.raises(ValueError, match="`C` to be positive and finite"):
        fit_logistic(x, labels, 2, C=strength)

import pytest
import torch
from sklearn.linear_model import LogisticRegression

from babelscope.metrics.logistic import fit_logistic
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

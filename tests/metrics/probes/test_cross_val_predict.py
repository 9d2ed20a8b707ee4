import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from babelscope.metrics.probes.cross_val_predict import cross_val_predict


def plant(classes, each, width, *, offset, long=0.0):
    """Unit rows; `long` is a direction that all of them share, as the rows of real tables do."""
    g = torch.Generator().manual_seed(0)
    label = torch.arange(classes).repeat_interleave(each)
    x = torch.randn(len(label), width, generator=g) + offset * torch.randn(classes, width, generator=g)[label]
    x += long * torch.randn(width, generator=g)
    return torch.nn.functional.normalize(x, dim=1), label


def folds_of(label, folds):
    fold = torch.empty_like(label)
    for number, (_, test) in enumerate(StratifiedKFold(folds).split(label, label)):
        fold[test] = number
    return fold


def theirs(x, label, fold, **settings):
    predicted = np.empty(len(label), dtype=int)
    for number in fold.unique():
        test = (fold == number).numpy()
        model = LogisticRegression(max_iter=1000, **settings).fit(x[~test].double().numpy(), label[~test].numpy())
        predicted[test] = model.predict(x[test].double().numpy())
    return torch.from_numpy(predicted)


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize(("offset", "long"), [(0.2, 0.0), (0.2, 3.0), (1.0, 0.0)])
def test_predictions_are_scikit_learns(classes, offset, long):
    x, label = plant(classes, 500, 32, offset=offset, long=long)
    shuffled = label[torch.randperm(len(label), generator=torch.Generator().manual_seed(1))]
    for target in (label, shuffled):
        fold = folds_of(target, 10)
        found = cross_val_predict(x.clone(), target, fold, classes)
        # scikit-learn stops early by default: where classes overlap, its own predictions move with its tolerance
        assert float((found != theirs(x, target, fold, tol=1e-7)).double().mean()) <= 0.002
        if target is label:
            default = theirs(x, label, fold)
            for number in range(classes):
                mine = label == number
                accuracy = (found == label)[mine].double().mean() - (default == label)[mine].double().mean()
                assert abs(float(accuracy)) <= 0.002 + 1e-9


def test_strength_is_scikit_learns():
    x, label = plant(2, 100, 8, offset=0.3)
    fold = folds_of(label, 4)
    found = cross_val_predict(x.clone(), label, fold, 2, C=50.0)
    assert torch.equal(found, theirs(x, label, fold, C=50.0, tol=1e-7))


def test_what_cannot_be_fitted_is_refused():
    x, label = plant(2, 20, 4, offset=0.3)
    with pytest.raises(ValueError, match="argument `max_iter`"):
        cross_val_predict(x, label, folds_of(label, 2), 2, max_iter=1)
    with pytest.raises(ValueError, match=r"none of class \[2\]"):
        cross_val_predict(x, label, folds_of(label, 2), 3)

import random

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from babelscope.metrics import LayerSample, ilo, knn_lid, script_separability, separability
from babelscope.metrics.folds import sentence_folds
from tests.metrics.planted import plant


def test_separable_languages_are_told_apart_and_their_offset_is_all_there_is():
    result = separability(plant(6, 40, 24, offset=2.0, noise=0.5))
    assert result["separability"].tolist() == [1.0] * 6
    assert result["separability_control"].item() < 0.35
    assert result["selectivity"].item() == pytest.approx(1 - result["separability_control"].item())
    assert result["separability_centred"].mean().item() < 0.25


def test_identical_languages_are_at_chance():
    result = separability(plant(6, 40, 24, offset=0.0, noise=0.5))
    assert result["separability"].mean().item() == pytest.approx(1 / 6, abs=0.08)
    assert abs(result["selectivity"].item()) < 0.1


def test_equals_scikit_learn_on_the_same_folds():
    sample = plant(5, 40, 16, offset=0.25, noise=0.6)
    fold = sentence_folds(sample.sentence, 5, torch.Generator().manual_seed(0)).numpy()
    x, y = sample.x.double().numpy(), sample.language.numpy()
    hit = np.zeros(len(y))
    for number in range(5):
        test = fold == number
        mean, spread = x[~test].mean(0), x[~test].std(0)
        model = LogisticRegression(C=1.0, tol=1e-8, max_iter=10_000, class_weight="balanced")
        model.fit((x[~test] - mean) / spread, y[~test])
        hit[test] = model.predict((x[test] - mean) / spread) == y[test]
    assert 0.3 < hit.mean() < 0.95
    assert separability(sample)["separability"].mean().item() == pytest.approx(hit.mean(), abs=0.01)


def test_constant_features_and_a_collapsed_layer_are_at_chance():
    sample = plant(3, 10, 4)
    flat = LayerSample(torch.full_like(sample.x, 0.1), sample.language, sample.sentence)
    assert separability(flat)["separability"].mean().item() == pytest.approx(1 / 3)


def test_too_little_is_refused():
    with pytest.raises(ValueError, match="folds"):
        separability(plant(3, 4, 8))
    with pytest.raises(ValueError, match="2 classes"):
        separability(plant(1, 20, 8))


@pytest.mark.parametrize("metric", [separability, script_separability, knn_lid, ilo])
def test_global_randomness_is_untouched_and_results_repeat(metric):
    sample = plant(4, 30, 8, offset=0.3, noise=0.5, names=("eng_Latn", "rus_Cyrl", "fra_Latn", "hin_Deva"))
    options = {"minimum": 20} if metric is script_separability else {}
    torch.manual_seed(3)
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()  # noqa: NPY002
    first, second = metric(sample, **options), metric(sample, **options)
    assert torch.equal(before[0], torch.get_rng_state())
    assert np.array_equal(before[1], np.random.get_state()[1])  # noqa: NPY002
    assert before[2] == random.getstate()
    assert all(torch.equal(first[key], second[key]) for key in first)

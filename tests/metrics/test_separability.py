import random
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from babelscope.metrics import LayerSample, ilo, knn_lid, script_separability, separability
from babelscope.metrics.probes.folds import sentence_folds
from babelscope.metrics.separability import separability_of_layers
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


def theirs(sample, strength):
    """Mean recall by scikit-learn on the same folds."""
    fold = sentence_folds(sample.sentence, 5, torch.Generator().manual_seed(0)).numpy()
    x, y = sample.x.double().numpy(), sample.language.numpy()
    hit = np.zeros(len(y))
    for number in range(5):
        test = fold == number
        mean, spread = x[~test].mean(0), x[~test].std(0)
        model = LogisticRegression(C=strength, tol=1e-8, max_iter=10_000, class_weight="balanced")
        model.fit((x[~test] - mean) / spread, y[~test])
        hit[test] = model.predict((x[test] - mean) / spread) == y[test]
    return hit.mean()


def collapsed(sample, scale):
    """The same points, along one direction `scale` times as far apart."""
    g = torch.Generator().manual_seed(7)
    direction = torch.nn.functional.normalize(torch.randn(sample.x.shape[1], generator=g), dim=0)
    x = sample.x + scale * torch.outer(torch.randn(len(sample.x), generator=g), direction)
    return LayerSample(x, sample.language, sample.sentence)


@pytest.mark.parametrize("strength", [0.01, 1.0, 100.0])
@pytest.mark.parametrize(
    "sample",
    [
        plant(5, 40, 16, offset=0.25, noise=0.6),
        plant(2, 60, 8, offset=0.2, noise=0.6),
        plant(3, 15, 60, offset=0.1, noise=0.6),  # more features than points in training
        collapsed(plant(5, 40, 16, offset=0.25, noise=0.6), 100.0),
        LayerSample(
            1e15 * plant(4, 30, 8, offset=0.3, noise=0.6).x + 1e16, torch.arange(120) // 30, torch.arange(120) % 30
        ),
    ],
    ids=["overlapping", "two", "wide", "collapsed", "huge"],
)
def test_equals_scikit_learn_on_the_same_folds(sample, strength):
    expected = theirs(sample, strength)
    found = separability(sample, C=strength)["separability"].mean().item()
    assert found == pytest.approx(expected, abs=max(0.005, 1.5 / len(sample.x)))


def test_folds_fitted_one_by_one_and_together_are_the_same_probes(monkeypatch):
    sample = plant(5, 37, 16, offset=0.25, noise=0.6)  # folds of 7 and 8 sentences
    together = separability(sample)
    monkeypatch.setattr(sys.modules["babelscope.metrics.separability"], "TOGETHER", 1)
    for name, value in separability(sample).items():
        torch.testing.assert_close(together[name], value, rtol=0, atol=1.5 / 37)


@pytest.mark.parametrize(("folds", "sentences"), [(5, 37), (2, 12)])
def test_layers_fitted_together_are_the_probes_of_each(folds, sentences, monkeypatch):
    """To the last bit, so that a layer that is measured beside fewer others has the same scores."""
    layers = [plant(5, sentences, 16, offset=offset, noise=0.6, seed=seed) for seed, offset in enumerate((0.25, 3, 0))]
    layers.append(replace(layers[0], x=torch.full_like(layers[0].x, 0.1)))
    alone = [separability(sample, folds=folds, C=2.0, seed=3) for sample in layers]
    for numbers in (2**22, 8000):  # in the second case, in several parts
        monkeypatch.setattr(sys.modules["babelscope.metrics.separability"], "TOGETHER", numbers)
        assert same(separability_of_layers(layers, folds=folds, C=2.0, seed=3), alone)
        assert same(separability_of_layers(layers[2:0:-1], folds=folds, C=2.0, seed=3), alone[2:0:-1])


def same(found, expected):
    return all(
        torch.equal(results[name], value)
        for results, wanted in zip(found, expected, strict=True)
        for name, value in wanted.items()
    )


def test_points_that_are_given_twice_change_little():
    sample = plant(4, 30, 8, offset=0.3, noise=0.5)
    twice = LayerSample(sample.x.repeat(2, 1), sample.language.repeat(2), sample.sentence.repeat(2))
    single, double = (
        separability(some, C=strength)["separability"] for some, strength in ((sample, 2.0), (twice, 1.0))
    )
    torch.testing.assert_close(double, single, rtol=0, atol=0.04)


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


def test_a_surrounding_autocast_does_not_reach_the_result():
    g = torch.Generator().manual_seed(0)
    language, sentence = torch.arange(4).repeat_interleave(30), torch.arange(30).repeat(4)
    x = torch.randn(120, 32, generator=g) + 0.3 * torch.randn(4, 32, generator=g)[language]
    expected = separability(LayerSample(x, language, sentence), folds=3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = separability(LayerSample(x.requires_grad_(), language, sentence), folds=3)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=0, atol=0)

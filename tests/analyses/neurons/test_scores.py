from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from babelscope.analyses.neurons.scores import check_threshold, highest_z, neuron_scores, z_scores
from babelscope.metrics.pairs.cosine_sums import squared_norms
from tests.metrics.cosines import cases, randn, sums_of

CASES = cases()


def scores_of(x):
    return neuron_scores(x, squared_norms(x).sqrt())


@pytest.mark.parametrize("case", CASES)
def test_equals_the_double_loop(case):  # science F2
    x = CASES[case]
    v = x.numpy() / (x.abs().max().item() or 1)
    length = np.sqrt((v**2).sum(2, keepdims=True))
    h = v / np.where(length == 0, 1, length)
    expected = [np.mean([i * j for i, j in combinations(some, 2)], axis=0) for some in h]
    np.testing.assert_allclose(scores_of(x), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("case", CASES)
def test_the_sum_over_neurons_is_the_mean_cosine(case):  # science F2
    x = CASES[case]
    torch.testing.assert_close(scores_of(x).sum(1), sums_of(x).means.different.diagonal(), rtol=0, atol=1e-12)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.floats(1e-3, 1e3))
def test_languages_move_with_their_scores_and_sentences_and_scale_change_nothing(seed, scale):
    x = randn(4, 6, 7, seed=seed)
    languages, sentences = np.random.default_rng(seed).permutation(4), np.random.default_rng(seed).permutation(6)
    moved = scale * x[languages][:, sentences]
    torch.testing.assert_close(scores_of(moved), scores_of(x)[languages])
    torch.testing.assert_close(z_scores(scores_of(moved)), z_scores(scores_of(x))[languages])


def test_float32_stays_within_1e_5():
    x = randn(4, 50, 600).relu()
    exact = scores_of(x)
    found = neuron_scores(x.float(), squared_norms(x.float()).sqrt())
    assert found.dtype == torch.float64
    torch.testing.assert_close(found, exact, rtol=1e-5, atol=1e-5 * exact.max().item())
    torch.testing.assert_close(z_scores(found), z_scores(exact), rtol=0, atol=1e-4)


def test_slices_are_columns():
    x = randn(3, 4, 1300)
    norm = squared_norms(x).sqrt()
    parts = [neuron_scores(part, norm) for part in x.split([1, 700, 599], dim=2)]
    torch.testing.assert_close(torch.cat(parts, dim=1), neuron_scores(x, norm))


def test_standard_scores():
    scores = randn(5, 30)
    expected = (scores.numpy() - scores.numpy().mean(0)) / scores.numpy().std(0)
    np.testing.assert_allclose(z_scores(scores), expected, atol=1e-12)


def test_equal_scores_have_none():
    scores = torch.tensor([[0.0, 0.1 + 0.2, 1e-20], [0.0, 0.3, 0.0], [0.0, 0.3, 0.0]], dtype=torch.float64)
    z = z_scores(scores)
    assert z[:, :2].tolist() == [[0, 0], [0, 0], [0, 0]]
    assert z[:, 2].tolist() == pytest.approx([2**0.5, -(0.5**0.5), -(0.5**0.5)])


@pytest.mark.parametrize(
    ("languages", "shared", "expected"), [(5, 1, 2.0), (9, 2, 1.8708), (10, 2, 2.0), (31, 6, 2.0412)]
)
def test_highest_z(languages, shared, expected):  # science F1
    assert highest_z(languages, shared) == pytest.approx(expected, abs=5e-5)
    scores = torch.zeros(languages, 1, dtype=torch.float64)
    scores[:shared] = 0.7
    assert z_scores(scores).max().item() == pytest.approx(highest_z(languages, shared))


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 12), st.integers(0, 10**6))
def test_no_z_is_above_the_highest(languages, seed):
    assert z_scores(randn(languages, 40, seed=seed).exp()).max().item() <= highest_z(languages) + 1e-12


def test_scores_that_are_nearly_equal_are_standardised_as_sharply():
    scores = 1.1 + 9e-6 * torch.tensor([[1.0, 0.7], [0.1, 0.2], [0.3, 0.9]], dtype=torch.float64)
    for column, found in zip(scores.T.tolist(), z_scores(scores).T.tolist(), strict=True):
        exact = [Fraction(value) for value in column]
        centred = [value - sum(exact) / 3 for value in exact]
        spread = float(sum(value**2 for value in centred) / 3) ** 0.5
        assert found == pytest.approx([float(value) / spread for value in centred], abs=1e-14)


def test_a_threshold_out_of_reach_is_refused():
    message = r"below 2\.000.*with 5 languages.*got 2\.0; lower the threshold or take at least 6 languages"
    with pytest.raises(ValueError, match=message) as caught:
        check_threshold(2.0, 5)
    assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match="at least 7 languages"):
        check_threshold(5**0.5, 6)
    with pytest.raises(ValueError, match=r"below 1\.000"):
        check_threshold(float("nan"), 2)
    with pytest.raises(ValueError, match=r"lower the threshold$"):
        check_threshold(float("inf"), 31)
    check_threshold(2.0, 6)
    check_threshold(1.9, 5)
    check_threshold(2.5, 8)


def test_a_neuron_of_one_sentence_is_no_ones_key_neuron():
    g = torch.Generator().manual_seed(0)
    x = torch.randn(10, 30, 600, generator=g).abs()
    rare = torch.zeros(10, 30, 400)
    rare[torch.arange(400) % 10, torch.arange(400) % 30, torch.arange(400)] = torch.rand(400, generator=g) + 0.1
    x = torch.cat([x, rare], dim=2)
    norm = squared_norms(x).sqrt()
    scores = neuron_scores(x, norm)
    torch.testing.assert_close(
        scores, neuron_scores(x.double(), norm), rtol=1e-5, atol=1e-6 * float(scores.abs().max())
    )
    assert scores[:, 600:].abs().max() < 1e-15
    assert not (z_scores(scores)[:, 600:] > 2).any()

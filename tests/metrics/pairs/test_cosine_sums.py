from functools import reduce
from operator import add

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from babelscope.metrics.pairs.cosine_sums import cosine_sums, cosine_sums_by, sample_sums, squared_norms
from tests.metrics.aligned import awkward
from tests.metrics.cosines import cases, randn, slow_means, sums_of

CASES = cases()


@pytest.mark.parametrize("case", CASES)
def test_equals_the_double_loop(case):
    x = CASES[case]
    different, translations = slow_means(x)
    means = sums_of(x).means
    np.testing.assert_allclose(means.different, different, rtol=0, atol=1e-10)
    np.testing.assert_allclose(means.translations, translations, rtol=0, atol=1e-10)


def test_float32_stays_within_1e_5():
    x = randn(4, 20, 3000).relu()
    found, exact = sums_of(x.float()).means, sums_of(x).means
    torch.testing.assert_close(found.different, exact.different, rtol=0, atol=1e-6)
    torch.testing.assert_close(found.translations, exact.translations, rtol=0, atol=1e-6)
    assert found.different.dtype == torch.float64


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 1200), min_size=1, max_size=4))
def test_slices_add_up(widths):
    x = randn(3, 4, sum(widths))
    parts = x.split(widths, dim=2)
    squares = reduce(add, [squared_norms(part) for part in parts])
    torch.testing.assert_close(squares, x.square().sum(2))
    sums = reduce(add, [cosine_sums(part, squares.sqrt()) for part in parts])
    torch.testing.assert_close(sums.total, sums_of(x).total)
    torch.testing.assert_close(sums.same, sums_of(x).same)


def test_several_norms_are_several_measurements():
    x = randn(3, 4, 30)
    x[0, 1] = 0
    x[1, 2, :10] = 0
    norms = [squared_norms(x[..., :10]).sqrt(), squared_norms(x).sqrt()]
    for found, norm in zip(cosine_sums_by(x[..., :10], *norms), norms, strict=True):
        expected = cosine_sums(x[..., :10], norm)
        torch.testing.assert_close(found.total, expected.total)
        torch.testing.assert_close(found.same, expected.same)


@pytest.mark.parametrize("case", ["random", "with zeros", "clustered"])
def test_leaving_one_out_is_measuring_the_rest(case):
    x = CASES[case]
    found = sums_of(x).leave_one_out()
    for sentence in range(x.shape[1]):
        rest = sums_of(x[:, torch.arange(x.shape[1]) != sentence]).means
        torch.testing.assert_close(found.different[sentence], rest.different, rtol=0, atol=1e-12)
        torch.testing.assert_close(found.translations[sentence], rest.translations, rtol=0, atol=1e-12)


@pytest.mark.parametrize("case", awkward())
def test_a_sample_is_measured_in_float64(case):
    sample = awkward()[case]
    x = sample.x.double().view(sample.n_languages, -1, sample.x.shape[1])
    different, translations = slow_means(x)
    means = sample_sums(sample).means
    np.testing.assert_allclose(means.different, different, rtol=0, atol=1e-12)
    np.testing.assert_allclose(means.translations, translations, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("x", "norm", "message"),
    [
        (torch.ones(1, 5, 3), torch.ones(1, 5).double(), "at least 2 languages and 2 sentences"),
        (torch.ones(3, 1, 3), torch.ones(3, 1).double(), "at least 2 languages and 2 sentences"),
        (torch.ones(6, 3), torch.ones(6).double(), "at least 2 languages and 2 sentences"),
        (torch.ones(3, 4, 3), torch.ones(4, 3).double(), r"float64 of shape \(3, 4\)"),
        (torch.ones(3, 4, 3), torch.ones(3, 4), r"float64 of shape \(3, 4\)"),
    ],
)
def test_what_does_not_fit_is_refused(x, norm, message):
    with pytest.raises(ValueError, match=message) as caught:
        cosine_sums(x, norm)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_what_is_measured_is_left_as_it_was(dtype):
    x = randn(3, 4, 5).to(dtype)
    before = x.clone()
    sums_of(x)
    assert torch.equal(x, before)

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from babelscope.metrics import cka
from babelscope.metrics.cka import unit_gram
from tests.metrics.aligned import NAMES, N, against_pivot, awkward, sample_of, shuffled, unrelated
from tests.metrics.planted import plant

CASES = awkward()


def hsic(k: np.ndarray, l: np.ndarray) -> float:  # noqa: E741  (the letters of the formula)
    m = len(k)
    k, l = k - np.diag(np.diag(k)), l - np.diag(np.diag(l))  # noqa: E741
    one = np.ones(m, dtype=k.dtype)
    middle = (one @ k @ one) * (one @ l @ one) / ((m - 1) * (m - 2))
    return (np.trace(k @ l) + middle - 2 * (one @ k @ l @ one) / (m - 2)) / (m * (m - 3))


def slow(one: np.ndarray, other: np.ndarray) -> float:
    # a shift changes nothing but rounding, and equal rows become exactly 0
    one, other = one - one[0], other - other[0]
    k, l = one @ one.T, other @ other.T  # noqa: E741
    kk, ll = hsic(k, k), hsic(l, l)
    structured = kk > 1e-24 * np.trace(k) ** 2 and ll > 1e-24 * np.trace(l) ** 2
    return float(hsic(k, l) / np.sqrt(kk * ll)) if structured else 0.0


def states_of(sample) -> np.ndarray:
    return sample.x.numpy().astype(np.longdouble).reshape(sample.n_languages, N, -1)


@pytest.mark.parametrize("pivot", ["eng_Latn", "rus_Cyrl", None])
@pytest.mark.parametrize("case", CASES)
def test_equals_the_definition(case, pivot):
    sample = CASES[case]
    expected = against_pivot(states_of(sample), slow, None if pivot is None else NAMES.index(pivot))
    assert cka(sample, pivot=pivot)["cka"].tolist() == pytest.approx(expected, abs=1e-7)


def test_equals_the_definition_in_whole_fractions():
    sample = CASES["far from the origin"]
    exact = np.vectorize(Fraction)(sample.x.double().numpy().astype(object)).reshape(4, N, -1)[:2]
    k, l = (x @ x.T for x in exact)  # noqa: E741
    expected = float(hsic(k, l)) / float(hsic(k, k) * hsic(l, l)) ** 0.5
    assert cka(sample)["cka"][1].item() == pytest.approx(expected, abs=1e-9)


def test_a_rotated_scaled_and_shifted_copy_has_1():
    g = torch.Generator().manual_seed(0)
    x = torch.randn(30, 16, generator=g)
    rotation = torch.linalg.qr(torch.randn(16, 16, generator=g))[0]
    result = cka(sample_of(torch.stack([x, x @ rotation, 100 * x + 5, 0.01 * x @ rotation - 3])))
    assert result["cka"].tolist() == pytest.approx([1] * 4, abs=1e-5)


@pytest.mark.parametrize("value", [0.0, 0.1])
def test_where_nothing_is_arranged_it_is_0(value):
    assert cka(sample_of(torch.full((3, N, 6), value)))["cka"].tolist() == [0, 0, 0]
    assert not unit_gram(torch.eye(5)).any()  # all sentences equally far from each other
    assert not unit_gram(torch.cat([torch.zeros(5, 3), torch.ones(1, 3)])).any()  # one apart from the rest


def test_unrelated_states_have_0_on_average_and_may_fall_below():
    values = torch.cat([cka(sample, pivot=None)["cka"] for sample in unrelated(30, sentences=20)])
    assert values.min() < 0
    assert values.mean().item() == pytest.approx(0, abs=4 * values.std().item() / 30**0.5)
    assert cka(plant(2, 5, 3), pivot=None)["cka_null"].item() == 0


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([*NAMES, None]))
def test_order_and_scale_change_nothing(seed, pivot):
    sample = plant(4, 8, 5, offset=0.3, noise=0.7, seed=seed, names=NAMES)
    moved, rename = shuffled(sample, seed)
    torch.testing.assert_close(cka(moved, pivot=pivot)["cka"][rename], cka(sample, pivot=pivot)["cka"])


def test_fewer_than_four_sentences_are_refused():
    with pytest.raises(ValueError, match="at least 4 sentences"):
        cka(plant(3, 3, 8), pivot="0")
    assert cka(plant(3, 4, 8), pivot="0")["cka"].isfinite().all()

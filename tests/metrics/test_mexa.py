import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from babelscope.metrics import ilo, mexa
from tests.metrics.aligned import NAMES, N, against_pivot, awkward, directions, sample_of, shuffled, unrelated
from tests.metrics.planted import plant

CASES = awkward()


def slow(one: np.ndarray, other: np.ndarray) -> float:
    cosine = one @ other.T
    wins = 0
    for i in range(len(cosine)):
        rivals = [max(cosine[i, j], cosine[j, i]) for j in range(len(cosine)) if j != i]
        wins += cosine[i, i] > max(rivals) + 1e-12
    return wins / len(cosine)


@pytest.mark.parametrize("pivot", ["eng_Latn", "rus_Cyrl", None])
@pytest.mark.parametrize("case", CASES)
def test_equals_the_definition(case, pivot):
    sample = CASES[case]
    expected = against_pivot(directions(sample), slow, None if pivot is None else NAMES.index(pivot))
    assert mexa(sample, pivot=pivot)["mexa"].tolist() == pytest.approx(expected, abs=1e-12)


def test_an_exact_copy_has_1_and_what_is_duplicated_or_collapsed_0():
    x = torch.randn(1, N, 6, generator=torch.Generator().manual_seed(0))
    assert mexa(sample_of(x.repeat(3, 1, 1)))["mexa"].tolist() == [1, 1, 1]
    assert mexa(sample_of(x[:, torch.arange(N) // 2].repeat(3, 1, 1)))["mexa"].tolist() == [0, 0, 0]
    for value in (0.0, 0.1):
        assert mexa(sample_of(torch.full((3, N, 6), value)))["mexa"].tolist() == [0, 0, 0]


def test_the_null_and_its_golden_value():  # science F5
    assert f"{mexa(plant(2, 100, 4), pivot='0')['mexa_null'].item():.5f}" == "0.00503"
    found = [mexa(sample, pivot=None) for sample in unrelated(40)]
    share = torch.stack([result["mexa"] for result in found]).mean().item()
    null = found[0]["mexa_null"].item()
    pairs = 40 * 6 * 60
    assert share == pytest.approx(null, abs=4 * (null / pairs) ** 0.5)


def test_pure_noise_has_a_high_ilo_and_no_mexa():  # science F4
    found = [plant(offset=0, meaning=0, noise=1, seed=seed) for seed in range(3)]
    overlap = sum(ilo(sample)["ilo"].mean().item() for sample in found) / 3
    aligned = sum(mexa(sample, pivot=None)["mexa"].mean().item() for sample in found) / 3
    assert overlap == pytest.approx(0.93, abs=0.02)
    assert aligned == pytest.approx(1 / 119, abs=0.008)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([*NAMES, None]))
def test_order_and_scale_change_nothing(seed, pivot):
    sample = plant(4, 12, 5, offset=0.3, noise=0.7, seed=seed, names=NAMES)
    moved, rename = shuffled(sample, seed)
    torch.testing.assert_close(mexa(moved, pivot=pivot)["mexa"][rename], mexa(sample, pivot=pivot)["mexa"])

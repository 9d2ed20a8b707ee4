import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from babelscope.metrics import mutual_knn
from tests.metrics.aligned import NAMES, N, against_pivot, awkward, sample_of, shuffled, unrelated
from tests.metrics.planted import brute_force, plant

CASES = awkward()


@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
@pytest.mark.parametrize("pivot", ["eng_Latn", "jpn_Jpan", None])
@pytest.mark.parametrize("case", CASES)
def test_equals_the_definition(case, pivot, distance):
    sample = CASES[case]
    found = np.stack([brute_force(x, 4, distance)[1] for x in sample.x.view(4, N, -1)])

    def shared(one, other):
        return float(np.mean([len(set(a) & set(b)) / 4 for a, b in zip(one, other, strict=True)]))

    expected = against_pivot(found, shared, None if pivot is None else NAMES.index(pivot))
    result = mutual_knn(sample, pivot=pivot, k=4, distance=distance)
    assert result["mutual_knn"].tolist() == pytest.approx(expected, abs=1e-12)


def test_a_rotated_copy_has_1_where_cosines_between_languages_say_nothing():
    g = torch.Generator().manual_seed(0)
    x = torch.randn(30, 16, generator=g)
    rotation = torch.linalg.qr(torch.randn(16, 16, generator=g))[0]
    assert mutual_knn(sample_of(torch.stack([x, x @ rotation])))["mutual_knn"].tolist() == [1, 1]


def test_the_null():
    found = [mutual_knn(sample, pivot=None) for sample in unrelated(20, sentences=40)]
    assert found[0]["mutual_knn_null"].item() == 10 / 39
    values = torch.stack([result["mutual_knn"].mean() for result in found])
    assert values.mean().item() == pytest.approx(10 / 39, abs=4 * values.std().item() / 20**0.5)


def test_a_collapsed_layer_is_finite():
    result = mutual_knn(sample_of(torch.full((3, N, 6), 0.1)), k=4)["mutual_knn"]
    assert result.isfinite().all()
    assert (result > 0.8).all()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([*NAMES, None]))
def test_order_and_scale_change_nothing(seed, pivot):
    sample = plant(4, 12, 5, offset=0.3, noise=0.7, seed=seed, names=NAMES)
    moved, rename = shuffled(sample, seed)
    before, after = (mutual_knn(which, pivot=pivot, k=3)["mutual_knn"] for which in (sample, moved))
    torch.testing.assert_close(after[rename], before)


@pytest.mark.parametrize(("k", "remedy"), [(0, "raise"), (20, "lower")])
def test_impossible_neighbours_are_refused(k, remedy):
    with pytest.raises(ValueError, match=f"argument `k`.*; {remedy} metrics.mutual_knn.k"):
        mutual_knn(plant(3, 20, 8), pivot="0", k=k)

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from babelscope.metrics import nearest_neighbours, neighbours
from babelscope.metrics.neighbours import find_neighbours
from babelscope.metrics.search.points import sum_folded
from tests.metrics.planted import brute_force, randn

CASES = {
    "random": randn(300, 33),
    "anisotropic": 20 + randn(300, 33),
    "collapsed": 1 + 1e-5 * randn(300, 33),
    "equal": torch.ones(300, 4),
    "all zero": torch.zeros(300, 4),
    "some zero": torch.cat([randn(260, 33), torch.zeros(40, 33)]),
    "duplicates": randn(20, 33).repeat(15, 1),
    "tight clusters": randn(6, 33).repeat_interleave(50, 0) + 1e-3 * randn(300, 33, seed=1),
    "huge": randn(300, 33) * 1e30 * torch.logspace(0, 6, 300)[:, None],
    "outlier": torch.cat([1e-3 * randn(299, 33), torch.full((1, 33), 1e6)]),
    "tiny": 1e-30 * randn(300, 33),
    "one wide": randn(300, 1),
}


@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
@pytest.mark.parametrize("case", CASES)
def test_equals_a_float64_search_of_all_pairs(case, distance):
    x = CASES[case]
    for k in (1, 5, 299):
        distances, indices = nearest_neighbours(x, k, distance=distance, block=128)
        expected, order = brute_force(x, k, distance)
        np.testing.assert_allclose(distances.numpy(), expected, rtol=1e-8, atol=1e-15 * expected.max())
        if k < 299:  # at the far end mathematically equal distances differ in the reference's rounding
            assert (indices.numpy() == order).mean() > 0.999
        assert not (indices == torch.arange(len(x)).unsqueeze(1)).any()


@pytest.fixture(params=["bfloat16", "float32"])
def products(request, monkeypatch):
    """The fast path, whatever this machine has and however few the points."""
    monkeypatch.setattr(neighbours, "MAX_BRUTE_FORCE_POINTS", 0)
    monkeypatch.setattr(neighbours, "product_type", lambda device: getattr(torch, request.param))
    return request.param


MORE = {
    "pairs": randn(150, 33).repeat(2, 1),
    "clusters": randn(6, 33).repeat_interleave(50, 0) + randn(300, 33, seed=1),
    "two points": randn(2, 33).repeat(150, 1),
    "sizes": randn(300, 33) * randn(300, 1, seed=1).exp() ** 3,
    "one zero": torch.cat([randn(299, 33), torch.zeros(1, 33)]),
    "whole": torch.randint(-2, 3, (300, 5), generator=torch.Generator().manual_seed(0)).float(),
}


@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
@pytest.mark.parametrize("case", CASES | MORE)
def test_no_path_changes_a_bit(case, distance, products, monkeypatch):
    x = (CASES | MORE)[case]
    for k in (1, 5, 40):
        found = [find_neighbours(x, k, distance=distance, block=block) for block in (1, 100, 2048)]
        with monkeypatch.context() as patch:
            patch.setattr(neighbours, "MAX_BRUTE_FORCE_POINTS", 10**9)
            expected = find_neighbours(x, k, distance=distance)
        assert not expected.certified
        for one in found:
            assert torch.equal(one.distances, expected.distances)
            assert torch.equal(one.indices, expected.indices)


KIN = {
    "translations": torch.arange(300) % 100,
    "one of many": torch.arange(300).clamp(max=150) - 7,
    "unlike sizes": torch.arange(300).float().sqrt().long().flip(0),
}


@pytest.mark.parametrize("case", CASES | MORE)
def test_kin_are_left_out(case, products, monkeypatch):
    x = (CASES | MORE)[case]
    for number, (name, kin) in enumerate(KIN.items()):
        distance = ("cosine", "euclidean")[number % 2]
        with monkeypatch.context() as patch:
            patch.setattr(neighbours, "MAX_BRUTE_FORCE_POINTS", 10**9)
            every, order = nearest_neighbours(x, 299, distance=distance)
            plain = nearest_neighbours(x, 5, distance=distance, kin=kin)
        counts = kin[order] != kin[:, None]
        first = counts & (counts.cumsum(1) <= 5)
        expected = every[first].view(300, 5), order[first].view(300, 5)
        for found in (plain, *(nearest_neighbours(x, 5, distance=distance, kin=kin, block=b) for b in (1, 100, 2048))):
            assert torch.equal(found[0], expected[0]), name
            assert torch.equal(found[1], expected[1]), name


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.integers(2, 150),
    st.integers(1, 80),
    st.integers(1, 9),
    st.integers(0, 10**6),
    st.sampled_from(["plain", "clustered", "doubled"]),
)
def test_equals_the_oracle_on_the_fast_path(products, count, width, k, seed, kind):
    x = randn(count, width, seed=seed)
    x = {"plain": x, "clustered": x[torch.arange(count) % 5 % count] + 1e-2 * x, "doubled": x.repeat(2, 1)}[kind]
    k = min(k, len(x) - 1)
    distances, indices = nearest_neighbours(x, k, distance="euclidean")
    expected, order = brute_force(x, k, "euclidean")
    np.testing.assert_allclose(distances.numpy(), expected, rtol=1e-12, atol=1e-15)
    assert (indices.numpy() == order).mean() > (0.99 if width > 1 else 0.9)


def test_points_nearer_than_rounding_can_tell_are_ordered_exactly(products):
    """Shells of points around one, whose radii differ by less than either product type can tell, in shuffled order."""
    way = torch.nn.functional.normalize(randn(400, 64).double())
    for step in (1e-3, 1e-5):
        x = torch.cat(
            [torch.zeros(1, 64), ((1 + step * torch.randperm(400)[:, None] / 400) * way).float(), 3 + randn(99, 64)]
        )
        _, indices = nearest_neighbours(x, 60, distance="euclidean")
        np.testing.assert_array_equal(indices[0].numpy(), brute_force(x, 60, "euclidean")[1][0])


def test_the_share_of_certified_rows_is_known(products):
    found = find_neighbours(randn(500, 64), 5)
    assert found.certified == {products: 1.0}
    found = find_neighbours(torch.cat([randn(400, 8), torch.ones(100, 8) * torch.arange(1, 101)[:, None]]), 1)
    assert 0 <= found.certified[products] <= 1
    assert find_neighbours(torch.ones(9, 2), 2).certified == {}


def test_views_inference_tensors_and_autocast(products):
    x = 5 + randn(64, 600)
    expected = nearest_neighbours(x.T.contiguous(), 5)
    with torch.inference_mode():
        inference = x.clone().T
    with torch.autocast("cpu", dtype=torch.bfloat16):
        for view in (x.T, inference):
            found = nearest_neighbours(view, 5)
            assert torch.equal(found[0], expected[0])
            assert torch.equal(found[1], expected[1])
    with torch.inference_mode():
        assert torch.equal(nearest_neighbours(inference, 5)[1], expected[1])


def test_ties_come_in_order_of_index():
    x = torch.randint(-2, 3, (400, 5), generator=torch.Generator().manual_seed(0)).float()
    _, indices = nearest_neighbours(x, 7, distance="euclidean")  # exact in whole numbers
    np.testing.assert_array_equal(indices.numpy(), brute_force(x, 7, "euclidean")[1])


def test_a_duplicate_is_a_neighbour_and_self_never():
    x = randn(50, 8)
    x[31] = x[4]
    distances, indices = nearest_neighbours(x, 5)
    assert indices[4, 0] == 31
    assert indices[31, 0] == 4
    assert distances[4, 0] == 0
    assert not (indices == torch.arange(50).unsqueeze(1)).any()


@settings(max_examples=15, deadline=None)
@given(st.integers(2, 40), st.integers(1, 5), st.integers(0, 10**6), st.data())
def test_blocks_permutation_scale_and_rotation_change_nothing(count, width, seed, data):
    x = randn(count, width + 1, seed=seed)
    k = data.draw(st.integers(1, count - 1))
    distances, indices = nearest_neighbours(x, k)
    for block in (1, 7):
        again = nearest_neighbours(x, k, block=block)
        assert torch.equal(distances, again[0])
        assert torch.equal(indices, again[1])
    assert torch.equal(indices, nearest_neighbours(x * 4, k)[1])
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
    assert torch.equal(distances[order], nearest_neighbours(x[order], k)[0])
    rotation = torch.linalg.qr(randn(width + 1, width + 1, seed=seed + 1))[0]
    torch.testing.assert_close(nearest_neighbours(x @ rotation, k)[0], distances, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("small", [0, 10**9])
def test_lower_precision_settings_are_overruled_and_restored(small, monkeypatch):
    monkeypatch.setattr(neighbours, "MAX_BRUTE_FORCE_POINTS", small)
    x = 5 + randn(600, 64)
    expected = nearest_neighbours(x, 5)
    try:
        torch.set_float32_matmul_precision("medium")
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = nearest_neighbours(x, 5)
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision("highest")
    assert torch.equal(found[1], expected[1])


def test_the_folded_sum_does_not_depend_on_position():
    x = randn(1000, 37).double()
    together = sum_folded(x.clone())
    assert torch.equal(together.flip(0), sum_folded(x.flip(0).clone()))
    assert all(sum_folded(row.clone()) == value for row, value in zip(x[:50], together[:50], strict=True))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k": 0}, "argument `k`"),
        ({"k": 10}, "argument `k`"),
        ({"k": 2, "distance": "manhattan"}, "argument `distance`"),
        ({"k": 2, "block": 0}, "argument `block`"),
        ({"k": 2, "kin": torch.arange(9)}, "argument `kin`"),
        ({"k": 2, "kin": torch.arange(10.0)}, "argument `kin`"),
        ({"k": 6, "kin": torch.arange(10) // 5}, "of which 5 do not count"),
    ],
)
def test_impossible_arguments_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        nearest_neighbours(randn(10, 3), **options)


@pytest.mark.parametrize("x", [randn(10, 3).double(), randn(10), torch.full((10, 3), float("nan"))])
def test_what_is_no_table_of_points_is_refused(x):
    with pytest.raises(ValueError, match="argument `x`"):
        nearest_neighbours(x, 2)

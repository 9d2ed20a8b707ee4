import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from babelscope.metrics.directions import directions_of, nearest


def test_distances_are_those_of_the_cosine():
    x = torch.randn(3, 20, 8, generator=torch.Generator().manual_seed(0))
    cosine = torch.nn.functional.cosine_similarity(x[0].double()[:, None], x[2].double()[None], dim=2)
    torch.testing.assert_close(directions_of(x).distances(0, 2), 1 - cosine, rtol=0, atol=1e-12)


def test_a_space_far_from_the_origin_stays_sharp():
    g = torch.Generator().manual_seed(0)
    x = 1000 + 0.01 * torch.randn(2, 30, 8, generator=g)  # cosines are 1 - 1e-10
    u = torch.nn.functional.normalize(x.double(), dim=2)
    exact = (u[0][:, None] - u[1][None]).square().sum(2) / 2
    torch.testing.assert_close(directions_of(x).distances(0, 1), exact, rtol=1e-5, atol=0)


def test_a_zero_state_has_cosine_0_to_all():
    x = torch.ones(2, 3, 4)
    x[0, 1] = 0
    points = directions_of(x)
    assert points.distances(0, 1)[1].tolist() == [1, 1, 1]
    assert points.distances(1, 0)[:, 1].tolist() == [1, 1, 1]


@pytest.mark.parametrize("width", [3, 64, 768])
def test_equal_rows_tie_whatever_the_products_round_to(width):
    g = torch.Generator().manual_seed(0)
    some = torch.randn(5, width, generator=g)
    x = torch.stack([some[torch.arange(40) % 5], some[torch.randint(0, 5, (40,), generator=g)]])
    points = directions_of(x)
    found = nearest(points.distances(1, 0), 1, points.tie)
    same = (x[1][:, None] == x[0][None]).all(2)
    assert torch.equal(found.to(torch.uint8).argmax(1), same.to(torch.uint8).argmax(1))
    assert torch.equal(nearest(points.distances(1, 0), 8, points.tie), same)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=2, max_size=12), st.data())
def test_the_nearest_are_a_stable_sort_of_what_is_equal_but_for_rounding(values, data):
    k = data.draw(st.integers(1, len(values)))
    exact = torch.tensor(values, dtype=torch.float64)
    g = torch.Generator().manual_seed(data.draw(st.integers(0, 99)))
    noisy = exact + 1e-14 * torch.randn(len(values), generator=g, dtype=torch.float64)
    marked = nearest(noisy.unsqueeze(0), k, 1e-12)[0]
    assert marked.nonzero().flatten().tolist() == sorted(exact.argsort(stable=True)[:k].tolist())

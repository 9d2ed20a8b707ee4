import pytest
import torch

from babelscope.metrics import neighbours
from babelscope.metrics.neighbours import find_neighbours
from babelscope.metrics.search.duplicates import copies
from babelscope.metrics.search.points import prepare_points
from tests.metrics.planted import brute_force
from tests.metrics.test_neighbours import randn


@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
def test_copies_are_those_of_the_lowest_index(distance):
    x = torch.cat(
        [randn(10, 7), randn(3, 7, seed=1).repeat_interleave(torch.tensor([4, 5, 9]), 0), randn(20, 7, seed=2)]
    )
    x = x[torch.randperm(len(x), generator=torch.Generator().manual_seed(0))]
    rows, indices = copies(prepare_points(x, 4, distance), 4)
    same = (x.unsqueeze(1) == x).all(2)
    assert sorted(rows.tolist()) == (same.sum(1) > 4).nonzero().flatten().tolist()
    for row, found in zip(rows.tolist(), indices.tolist(), strict=True):
        assert found == [other for other in same[row].nonzero().flatten().tolist() if other != row][:4]


def test_under_cosine_a_multiple_is_a_copy():
    x = randn(1, 5).repeat(8, 1) * torch.tensor([1.0, 2, 4, 8, 16, 0.5, 0.25, 32])[:, None]
    assert len(copies(prepare_points(x, 3, "cosine"), 3)[0]) == 8
    assert len(copies(prepare_points(x, 3, "euclidean"), 3)[0]) == 0


def test_none():
    rows, indices = copies(prepare_points(randn(9, 4), 2, "cosine"), 2)
    assert rows.shape == (0,)
    assert indices.shape == (0, 2)


def test_a_search_among_few_different_points(monkeypatch):
    monkeypatch.setattr(neighbours, "MAX_BRUTE_FORCE_POINTS", 0)
    x = torch.cat([randn(3, 24).repeat_interleave(700, 0), randn(30, 24, seed=1)])
    found = find_neighbours(x, 5, distance="euclidean")
    assert bool((found.distances[:2100] == 0).all())
    assert found.indices[0].tolist() == [1, 2, 3, 4, 5]
    assert found.indices[702].tolist() == [700, 701, 703, 704, 705]
    assert (found.indices.numpy() == brute_force(x, 5, "euclidean")[1]).all()

import pytest
import torch

from babelscope.metrics import neighbours
from babelscope.metrics.neighbours import find_neighbours
from babelscope.metrics.search.centres import MAX_CENTRES, find_centres
from tests.metrics.test_neighbours import products, randn  # noqa: F401  (a fixture)


@pytest.mark.parametrize("spread", [0.2, 1e-2, 1e-4])
def test_every_planted_group_has_its_centre(spread):
    group = torch.randint(0, 31, (2000,), generator=torch.Generator().manual_seed(0))
    x = randn(31, 50)[group] + spread * randn(2000, 50, seed=1)
    centres = find_centres(x - x.mean(0), torch.bfloat16)
    nearest = torch.cdist(x - x.mean(0), centres).argmin(1)
    assert len(centres) == 31
    assert len(torch.unique(torch.stack([group, nearest]), dim=1).T) == 31


def test_a_hundred_languages_have_their_centres_unless_they_overlap():
    group = torch.arange(12_000) % 120
    means, within = randn(120, 500)[group], randn(12_000, 500, seed=1)
    for spread, expected in ((1e-3, 120), (0.1, 120), (0.3, 1)):
        x = means + spread * within
        centres = find_centres(x - x.mean(0), torch.bfloat16)
        assert len(centres) == expected
        nearest = torch.cdist(x - x.mean(0), centres).argmin(1)
        assert len(torch.unique(torch.stack([group, nearest]), dim=1).T) == 120


def test_finer_products_need_no_centres_where_coarser_do():
    group = torch.arange(2000) % 31
    for spread, expected in ((1e-3, {31}), (0.2, {31, 1})):
        x = randn(31, 50)[group] + spread * randn(2000, 50, seed=1)
        p = x - x.mean(0)
        assert {len(find_centres(p, dtype)) for dtype in (torch.bfloat16, torch.float32)} == expected


@pytest.mark.parametrize(
    "x",
    [randn(3000, 50), randn(3000, 10), torch.ones(3000, 2), torch.zeros(20, 4)],
    ids=["wide", "narrow", "one", "zero"],
)
def test_without_tight_groups_the_centre_is_the_mean(x):
    assert torch.equal(find_centres(x - x.mean(0), torch.bfloat16), torch.zeros(1, x.shape[1]))


@pytest.mark.parametrize("size", [30, 1000])
def test_outliers_hide_no_groups(size):
    group = torch.arange(3200) % 8
    x = randn(8, 64)[group] + 1e-3 * randn(3200, 64, seed=1)
    x[::700] = size * randn(5, 64, seed=2)
    centres = find_centres(x - x.mean(0), torch.bfloat16)
    kept = torch.arange(3200) % 700 > 0
    nearest = torch.cdist(x - x.mean(0), centres).argmin(1)[kept]
    assert len(torch.unique(torch.stack([group[kept], nearest]), dim=1).T) == 8


def test_few_different_points_and_many_groups():
    few = randn(3, 8).repeat(100, 1)
    assert len(find_centres(few - few.mean(0), torch.bfloat16)) == 3
    many = randn(400, 8).repeat_interleave(5, 0)
    assert len(find_centres(many - many.mean(0), torch.bfloat16)) <= MAX_CENTRES
    assert bool(find_centres(many - many.mean(0), torch.bfloat16).isfinite().all())


def test_tight_groups_far_apart_are_certified_by_the_first_products(products, monkeypatch):  # noqa: F811
    monkeypatch.setattr(neighbours, "separate_groups", lambda points, k: [])
    x = randn(8, 64).repeat_interleave(400, 0) + 0.01 * randn(3200, 64, seed=1)
    for distance in ("cosine", "euclidean"):
        assert find_neighbours(x, 5, distance=distance).certified == {products: 1.0}

import pytest
import torch

from babelscope.metrics.precision import full_precision
from babelscope.metrics.search.centres import find_centres
from babelscope.metrics.search.points import prepare_points
from babelscope.metrics.search.products import encode
from babelscope.metrics.search.symmetric import _Search, is_closed, near_pairs
from tests.metrics.search.test_products import keys_of
from tests.metrics.test_neighbours import CASES, randn

TYPES = [torch.bfloat16, torch.float32]


def pairs_of(x, k, dtype, block, limit):
    points = prepare_points(x, k, "euclidean")
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(1))
    coded = encode(points, order, dtype, find_centres(points.p, dtype))
    with full_precision(x.device):
        return coded, near_pairs(coded, k, block, limit)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("block", [1, 96, 1024])
def test_every_pair_within_the_bound_is_found_once(case, dtype, block):
    x = CASES[case]
    coded, pairs = pairs_of(x, 3, dtype, block, 10**9)
    keys = keys_of(coded)[: len(x), : len(x)]
    expected = keys <= pairs.bound[: len(x)].unsqueeze(1)
    expected.fill_diagonal_(False)
    assert bool((expected.sum(1) >= 3).all())
    found = torch.zeros_like(expected)
    found[pairs.row, pairs.column] = True
    assert len(pairs.row) == int(found.sum())
    # A tile's shape may change the last bit of a sum, so compare the keys as they were found.
    inside = pairs.key <= pairs.bound[pairs.row]
    clear = (keys - pairs.bound[: len(x)].unsqueeze(1)).abs() > 2**10 * (dtype == torch.float32)
    assert bool((found | ~expected | ~clear).all())
    assert bool(inside.any())
    assert bool(inside.all())


@pytest.mark.parametrize("dtype", TYPES)
def test_crowded_rows_are_given_up_and_their_pairs_left_out(dtype):
    x = torch.cat([randn(600, 16), torch.ones(300, 16)])
    coded, pairs = pairs_of(x, 3, dtype, 64, 20)
    closed = is_closed(pairs.bound[: len(x)])
    crowd = coded.order >= 600
    assert bool(closed[crowd].all())
    assert not bool(closed[~crowd].all())
    assert not bool(closed[pairs.row].any())


def test_when_most_rows_are_crowded_all_are_given_up():
    _, pairs = pairs_of(randn(4, 16).repeat_interleave(500, 0), 3, torch.bfloat16, 64, 8)
    assert not len(pairs.row)
    assert bool(is_closed(pairs.bound).all())


@pytest.mark.parametrize("dtype", TYPES)
def test_a_row_that_was_given_up_collects_no_more(dtype):
    # so near to each other that rounding gives half of the distances a minus sign
    x = torch.cat([randn(1200, 16), 1 + 1e-6 * randn(800, 16)])
    points = prepare_points(x, 3, "euclidean")
    coded = encode(points, torch.randperm(len(x)), dtype, torch.zeros_like(points.p[:1]))
    search = _Search(coded, 3, 64, 20)
    with full_precision(x.device):
        for start in range(0, len(coded.right), search.block):
            search.step(start)
    assert sum(len(row) for row, _, _ in search.found) < 200 * len(x)

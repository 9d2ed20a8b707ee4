import pytest
import torch

from babelscope.metrics import nearest_neighbours
from babelscope.metrics.search.table_neighbours import table_neighbours
from tests.metrics.planted import randn

CASES = {
    "random": randn(300, 33),
    "anisotropic": 20 + randn(300, 33),
    "collapsed": 1 + 1e-5 * randn(300, 33),
    "duplicates": randn(20, 33).repeat(15, 1),
    "equal": torch.ones(300, 4),
}


@pytest.mark.parametrize("case", CASES)
def test_equals_the_search_in_memory(case):
    x = CASES[case]
    for k in (1, 7, 299):
        found = list(table_neighbours(x, torch.arange(300), k, batch=77, block=64))
        distances, indices = nearest_neighbours(x, k)
        if k < 299:
            assert torch.equal(torch.cat([part[2] for part in found]), indices)
        torch.testing.assert_close(torch.cat([part[1] for part in found]), distances, rtol=1e-9, atol=1e-15)


def test_some_rows_of_a_bfloat16_table():
    x = randn(200, 16).bfloat16()
    x[::7] = 0
    used = (torch.arange(200) % 7 != 0) & (torch.arange(200) < 150)
    rows = used.nonzero().flatten()
    _, indices = nearest_neighbours(x[rows].float(), 5)
    queries = rows[torch.tensor([9, 3, 60])]
    (some, _, near), *rest = table_neighbours(x, queries, 5, rows=rows.flip(0), block=32)
    assert not rest
    assert torch.equal(some, queries)
    assert torch.equal(near, rows[indices[[9, 3, 60]]])


def test_all_of_few_rows():
    x = randn(40, 8)
    rows = torch.arange(0, 40, 4)
    (_, _, near), *_ = table_neighbours(x, rows, 9, rows=rows, block=3)
    for row, found in zip(rows.tolist(), near.tolist(), strict=True):
        assert sorted([row, *found]) == rows.tolist()


def test_what_cannot_be_searched_is_refused():
    x = randn(10, 4)
    with pytest.raises(ValueError, match="argument `k`"):
        next(table_neighbours(x, torch.arange(3), 10))
    with pytest.raises(ValueError, match="argument `queries`"):
        next(table_neighbours(x, torch.tensor([9]), 2, rows=torch.arange(5)))
    x[4] = 0
    with pytest.raises(ValueError, match="row 4 is zero"):
        next(table_neighbours(x, torch.arange(3), 2))

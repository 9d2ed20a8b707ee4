import torch

from babelscope.metrics.search.settle import merge


def test_pairs_are_merged_by_distance_then_index():
    nearest = torch.tensor([[1.0, 2.0], [1.0, 2.0], [0.5, 0.5]], dtype=torch.float64)
    indices = torch.tensor([[9, 4], [3, 7], [5, 6]])
    row = torch.tensor([0, 0, 2])
    merge(nearest, indices, row, torch.tensor([1.0, 1.0, 0.5], dtype=torch.float64), torch.tensor([2, 8, 1]))
    assert indices.tolist() == [[2, 8], [3, 7], [1, 5]]
    assert nearest.tolist() == [[1, 1], [1, 2], [0.5, 0.5]]


def test_nothing_to_merge():
    nearest, indices = torch.ones(2, 2).double(), torch.zeros(2, 2, dtype=torch.int64)
    none = torch.zeros(0, dtype=torch.int64)
    merge(nearest, indices, none, none.double(), none)
    assert bool((nearest == 1).all())

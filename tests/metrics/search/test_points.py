from math import sqrt

import torch

from babelscope.metrics.search.points import square_root


def test_square_roots_are_rounded_to_the_nearest_number():
    """As by the C library; the last bit decides which of two equally near points comes first."""
    x = 50 * torch.rand(5000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x[:100] = torch.arange(100)
    assert square_root(x).tolist() == [sqrt(value) for value in x.tolist()]
    assert square_root(x.view(2, -1, 4)).shape == (2, 625, 4)
    assert square_root(x[2:3].requires_grad_()).tolist() == [sqrt(2)]

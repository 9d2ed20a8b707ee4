import numpy as np
import pytest
import torch

from babelscope.metrics.point_spread import measure_spread


def test_equals_numpy():
    x = torch.randn(300, 20, generator=torch.Generator().manual_seed(0)) * torch.linspace(0.1, 2, 20) + 0.5
    c = np.cov(x.double().numpy().T, bias=True)
    ratio = np.trace(c) ** 2 / np.trace(c @ c)
    u = x.double().numpy() / np.linalg.norm(x.double().numpy(), axis=1, keepdims=True)
    cosines = (u @ u.T)[~np.eye(300, dtype=bool)]
    found = measure_spread(x, block=64)
    assert found.isoscore == pytest.approx((ratio - 1) / 19, rel=1e-5)
    assert found.mean_cosine == pytest.approx(cosines.mean(), rel=1e-9)
    assert found.variance == pytest.approx(np.trace(c), rel=1e-5)


def test_extremes():
    line = torch.randn(100, 1, generator=torch.Generator().manual_seed(0)) * torch.ones(1, 8)
    assert measure_spread(line).isoscore == pytest.approx(0, abs=1e-6)
    cross = torch.cat([torch.eye(8), -torch.eye(8)])
    assert measure_spread(cross).isoscore == pytest.approx(1)
    assert measure_spread(cross).mean_cosine == pytest.approx(-1 / 15)


def test_rows_and_types():
    x = torch.randn(50, 8, generator=torch.Generator().manual_seed(0)).bfloat16()
    assert measure_spread(x, rows=torch.arange(10)) == measure_spread(x[:10].float())


def test_what_has_no_spread_is_refused():
    with pytest.raises(ValueError, match="distinct points, but all 5 are identical; the representation has collapsed"):
        measure_spread(torch.ones(5, 3))
    with pytest.raises(ValueError, match="at least 2 points"):
        measure_spread(torch.ones(1, 3))

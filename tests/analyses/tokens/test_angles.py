import numpy as np
import pytest
import torch

from babelscope.analyses.tokens.angles import canonical_angles, first_cosine_null, mean_square_null
from tests.metrics.planted import randn


def definition(a, b, centred):
    a, b = (x.double().numpy() - centred * x.double().numpy().mean(0) for x in (a, b))
    return np.linalg.svd(np.linalg.qr(a)[0].T @ np.linalg.qr(b)[0], compute_uv=False)


@pytest.mark.parametrize("centred", [True, False])
def test_equals_the_definition(centred):
    a = randn(500, 20)
    alike = a[:, :5] @ randn(5, 5, seed=1) + 0.3 * randn(500, 5, seed=2)
    b = torch.cat([alike, randn(500, 10, seed=3)], 1) * 1e3 + 7
    np.testing.assert_allclose(canonical_angles(a, b, centred=centred, block=64), definition(a, b, centred), atol=1e-9)


@pytest.mark.parametrize(
    ("n", "d1", "d2", "expected"),
    [(45_000, 512, 512, 0.21), (45_000, 512, 1024, 0.26), (45_000, 512, 2048, 0.32), (45_000, 512, 4096, 0.40)],
)
def test_golden_null(n, d1, d2, expected):
    assert first_cosine_null(n, d1, d2) == pytest.approx(expected, abs=0.005)


def test_random_tables_reach_the_null():
    cosines = canonical_angles(randn(6000, 64), randn(6000, 128, seed=1), centred=True)
    assert cosines[0].item() == pytest.approx(first_cosine_null(6000, 64, 128), rel=0.03)
    assert cosines.square().mean().item() == pytest.approx(mean_square_null(6000, 64, 128), rel=0.05)


def test_a_constant_offset_does_not_change_the_centred_value():
    a, b = randn(2000, 16), randn(2000, 16, seed=1)
    before = canonical_angles(a, b, centred=True)
    torch.testing.assert_close(canonical_angles(a + 0.5, b + 0.5, centred=True), before, atol=1e-6, rtol=0)
    assert canonical_angles(a + 0.5, b + 0.5, centred=False)[0] > 0.7


def test_rows_correspond_and_lost_directions_are_zero():
    a = randn(300, 6)
    b = a.clone()
    b[:, 0] = 0
    order = torch.randperm(300)
    found = canonical_angles(a, b[order], centred=True, rows=(torch.arange(300), order.argsort()))
    torch.testing.assert_close(found, torch.tensor([1.0] * 5 + [0.0]).double())


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(ValueError, match="more shared rows than columns"):
        canonical_angles(randn(8, 8), randn(8, 3), centred=True)
    with pytest.raises(ValueError, match="as many rows"):
        canonical_angles(randn(9, 2), randn(8, 2), centred=True)
    assert first_cosine_null(10, 5, 5) == 1

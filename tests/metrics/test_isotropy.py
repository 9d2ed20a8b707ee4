import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from babelscope.metrics import isotropy
from tests.metrics.aligned import NAMES, awkward, sample_of, shuffled
from tests.metrics.planted import plant

CASES = awkward()


def published(x: np.ndarray) -> float:
    """IsoScore in the steps of its paper: the isotropy defect of the normalised variances of principal components."""
    n = x.shape[1]
    variances = np.linalg.eigvalsh(np.cov(x.T, bias=True))
    variances = np.sqrt(n) * variances / np.linalg.norm(variances)
    defect = np.linalg.norm(variances - 1) / np.sqrt(2 * (n - np.sqrt(n)))
    filled = (n - defect**2 * (n - np.sqrt(n))) ** 2 / n**2
    return (n * filled - 1) / (n - 1)


@pytest.mark.parametrize("scale", [1.0, 1e-30, 1e25])
@pytest.mark.parametrize("case", CASES)
def test_equals_the_published_steps(case, scale):
    if case == "tiny" and scale < 1:
        return
    sample = sample_of((CASES[case].x * scale).view(4, -1, CASES[case].x.shape[1]))
    x = sample.x.double().numpy()
    norm = np.linalg.norm(x, axis=1)
    u = x[norm > 0] / norm[norm > 0, None]
    result = isotropy(sample)
    assert result["isoscore"].item() == pytest.approx(published(x / np.abs(x).max()), abs=1e-5)
    assert result["random_cosine"].item() == pytest.approx((u @ u.T)[~np.eye(len(u), dtype=bool)].mean(), abs=1e-9)
    assert result["total_variance"].item() == pytest.approx(((x - x.mean(0)) ** 2).sum() / len(x), rel=1e-5)


def test_the_participation_ratio_gives_the_score():  # science F3
    x = CASES["aligned"].x.double()
    values = torch.linalg.eigvalsh(torch.cov(x.T))
    ratio = values.sum() ** 2 / values.square().sum()
    assert isotropy(CASES["aligned"])["isoscore"].item() == pytest.approx(
        ((ratio - 1) / (x.shape[1] - 1)).item(), abs=1e-6
    )


@pytest.mark.parametrize(("sentences", "width"), [(5, 40), (25, 12), (100, 8)])
def test_the_null_is_the_mean_of_gaussian_points(sentences, width):
    found = [isotropy(plant(4, sentences, width, meaning=0, noise=1, seed=seed)) for seed in range(60)]
    points = 4 * sentences
    assert found[0]["isoscore_null"].item() == (points - 2) / (points + width)
    inverse = torch.stack([1 / (result["isoscore"] * (width - 1) + 1) for result in found])
    expected = (points + width) / ((points - 1) * width + 2)  # exact for 1 / PR
    assert inverse.mean().item() == pytest.approx(expected, abs=4 * inverse.std().item() / 60**0.5)
    values = torch.stack([result["isoscore"] for result in found])
    assert values.mean().item() == pytest.approx((points - 2) / (points + width), abs=0.01)


@pytest.mark.parametrize(("value", "cosine"), [(0.0, 0.0), (0.1, 1.0), (-3e38, 1.0)])
def test_a_collapsed_layer(value, cosine):
    result = isotropy(sample_of(torch.full((3, 5, 6), value)))
    assert [result[key].item() for key in ("isoscore", "random_cosine", "total_variance")] == [0, cosine, 0]
    nearly = torch.full((3, 5, 6), 1.0)
    nearly[0, 0, 0], nearly[..., 1] = 1, 0
    nearly[0, 0, 1] = 1e-30
    assert isotropy(sample_of(nearly))["total_variance"].item() == 0


def test_an_even_cross_is_isotropic():
    result = isotropy(sample_of(torch.stack([torch.eye(8), -torch.eye(8)])))
    assert result["isoscore"].item() == pytest.approx(1)
    assert result["random_cosine"].item() == pytest.approx(-1 / 15)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6))
def test_order_and_scale_change_nothing(seed):
    sample = plant(4, 8, 5, offset=0.3, noise=0.7, seed=seed, names=NAMES)
    moved, _ = shuffled(sample, seed)
    before, after = isotropy(sample), isotropy(moved)
    for key in ("isoscore", "random_cosine"):
        torch.testing.assert_close(after[key], before[key], atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(after["total_variance"], 16 * before["total_variance"], rtol=1e-5, atol=0)


def test_too_little_is_refused():
    with pytest.raises(ValueError, match="at least 2 points"):
        isotropy(plant(1, 1, 4))
    with pytest.raises(ValueError, match="2 dimensions"):
        isotropy(plant(2, 4, 1))

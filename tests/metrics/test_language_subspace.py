import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from babelscope.metrics import LayerSample, language_subspace, retrieval, separability
from babelscope.metrics.language_subspace import language_basis
from tests.metrics.aligned import NAMES, N, awkward, sample_of, shuffled, unrelated
from tests.metrics.planted import plant

CASES = awkward()


def lsar(m: np.ndarray, rank: int) -> np.ndarray:
    """The projector of LSAR's own steps, for means as columns (D, K)."""
    one = np.ones(m.shape[1])
    rough = m.mean(1)
    u, s, vt = np.linalg.svd(m - np.outer(rough, one), full_matrices=False)
    low = np.outer(rough, one) + (u[:, :rank] * s[:rank]) @ vt[:rank]
    inverse = np.linalg.pinv(low).T @ one
    mu = inverse / (inverse @ inverse)
    u, s, vt = np.linalg.svd(low - np.outer(mu, one), full_matrices=False)
    assert np.abs(mu @ u[:, :rank]).max() < 1e-9 * np.linalg.norm(mu) + 1e-12
    return u[:, :rank] @ u[:, :rank].T


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_the_basis_is_that_of_lsar(rank):
    means = torch.randn(4, 9, generator=torch.Generator().manual_seed(rank), dtype=torch.float64) + 1
    basis = language_basis(means, rank)
    torch.testing.assert_close(basis.T @ basis, torch.eye(rank, dtype=torch.float64))
    torch.testing.assert_close(basis @ basis.T, torch.from_numpy(lsar(means.numpy().T, rank)))


@pytest.mark.parametrize("rank", [1, 3])
@pytest.mark.parametrize("case", [case for case in CASES if case != "on a grid"])  # 2 dimensions are too few
def test_equals_a_plain_computation(case, rank):
    sample = CASES[case]
    x = sample.x.double().numpy().reshape(4, N, -1)
    means, mean = x.mean(1), x.reshape(-1, x.shape[2]).mean(0)
    eta = N * ((means - mean) ** 2).sum() / ((x - mean) ** 2).sum()
    projector = lsar(means.T, rank)
    states = {"shifted": x - means[:, None] + mean, "removed": x - x @ projector}
    result = language_subspace(sample, rank=rank)
    assert result["language_variance"].item() == pytest.approx(eta, abs=1e-12)
    for name, y in states.items():
        expected = retrieval(sample_of(torch.from_numpy(y).float()))["retrieval"]
        torch.testing.assert_close(result[f"retrieval_{name}"], expected, rtol=0, atol=1e-5)


def test_an_offset_is_told_from_a_lack_of_meaning():
    offset = plant(6, 40, 24, offset=5.0, noise=0.3)
    assert retrieval(offset, pivot=None)["retrieval"].mean() < 0.8
    result = language_subspace(offset, pivot=None, probe=True)
    assert result["retrieval_shifted"].mean() > 0.95
    assert result["retrieval_removed"].mean() > 0.95
    assert result["language_variance"] > 0.9
    assert result["separability_shifted"].mean() < 0.25
    assert result["separability_removed"].mean() < 0.25
    nothing = language_subspace(plant(6, 40, 24, offset=5.0, meaning=0, noise=1), pivot=None)
    assert nothing["retrieval_shifted"].mean() < 0.1
    assert nothing["retrieval_removed"].mean() < 0.1


def test_the_probe_is_that_of_the_house():
    sample = plant(3, 20, 8, offset=1.0, noise=0.5, names=("eng_Latn", "b", "c"))
    result = language_subspace(sample, rank=1, probe=True, folds=4, C=0.1, seed=3)
    means = sample.x.double().view(3, 20, 8).mean(1)
    basis = language_basis(means, 1)
    left = (sample.x.double() - sample.x.double() @ basis @ basis.T).float()
    expected = separability(LayerSample(left, sample.language, sample.sentence), folds=4, C=0.1, seed=3)
    torch.testing.assert_close(result["separability_removed"], expected["separability"], atol=0.051, rtol=0)
    assert not [key for key in language_subspace(sample) if key.startswith("separability")]


def test_the_null_of_the_variance_share():
    found = [language_subspace(sample) for sample in unrelated(20, sentences=20, width=8)]
    assert found[0]["language_variance_null"].item() == 3 / 79
    values = torch.stack([result["language_variance"] for result in found])
    assert values.mean().item() == pytest.approx(3 / 79, abs=4 * values.std().item() / 20**0.5)


@pytest.mark.parametrize("value", [0.0, 0.1])
def test_a_collapsed_layer_has_no_language(value):
    result = language_subspace(sample_of(torch.full((3, N, 6), value)))
    assert result["language_variance"].item() == 0
    for key in ("retrieval_shifted", "retrieval_removed"):
        assert result[key].tolist() == pytest.approx([1 / N] * 3)


def test_where_languages_are_all_there_is_nothing_is_left():
    means = torch.randn(3, 1, 6, generator=torch.Generator().manual_seed(0))
    for width in (6, 2):  # with 2 dimensions for 3 languages the subspace is the whole space
        result = language_subspace(sample_of(means[..., :width].repeat(1, N, 1)))
        assert result["language_variance"].item() == pytest.approx(1)
        for key in ("retrieval_shifted", "retrieval_removed"):
            assert result[key].tolist() == pytest.approx([1 / N] * 3)


def test_identical_languages_lose_nothing():
    x = torch.randn(1, N, 6, generator=torch.Generator().manual_seed(0)) + 1
    result = language_subspace(sample_of(x.repeat(3, 1, 1)))
    assert result["language_variance"].item() == pytest.approx(0, abs=1e-20)
    assert result["retrieval_removed"].tolist() == [1, 1, 1]


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([*NAMES, None]), st.sampled_from([1, 2, None]))
def test_order_and_scale_change_nothing(seed, pivot, rank):
    sample = plant(4, 10, 8, offset=0.5, noise=0.5, seed=seed, names=NAMES)
    moved, rename = shuffled(sample, seed)
    before, after = (language_subspace(which, pivot=pivot, rank=rank) for which in (sample, moved))
    torch.testing.assert_close(after["language_variance"], before["language_variance"])
    for key in ("retrieval_shifted", "retrieval_removed"):
        torch.testing.assert_close(after[key][rename], before[key])


@pytest.mark.parametrize("rank", [0, 4])
def test_a_rank_that_the_languages_do_not_have_is_refused(rank):
    with pytest.raises(ValueError, match=f"`rank`.*got {rank} with 4 languages") as caught:
        language_subspace(CASES["random"], rank=rank)
    assert "\n" not in str(caught.value)

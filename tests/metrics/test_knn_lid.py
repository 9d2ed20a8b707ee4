import pytest
import torch

from babelscope.metrics import LayerSample, knn_lid
from tests.metrics.planted import plant


def test_separate_languages_are_found_and_mixed_ones_are_at_chance():
    assert knn_lid(plant(6, 40, 24, offset=5.0, noise=0.5))["knn_lid"].tolist() == [1.0] * 6
    assert knn_lid(plant(6, 40, 24, noise=1.0))["knn_lid"].mean().item() == pytest.approx(1 / 6, abs=0.08)


def test_centring_takes_an_offset_away_and_leaves_what_is_not_one():
    offset = knn_lid(plant(6, 40, 24, offset=5.0, noise=0.5))
    assert offset["knn_lid"].mean() == 1
    assert offset["knn_lid_centred"].mean().item() == pytest.approx(1 / 6, abs=0.08)
    # one language in its own plane: no offset, and still an island
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(80, 8, generator=generator)
    x[:40, :4], x[40:, 4:] = 0, 0
    apart = knn_lid(LayerSample(x, torch.arange(80) // 40, torch.arange(40).repeat(2)))
    assert apart["knn_lid_centred"].min() > 0.9


def test_own_translations_do_not_vote():
    # Every sentence is nearest to its translation, then to its language.
    x = torch.tensor([[0, 0], [10, 0], [0, 1], [10, 1], [0, 30], [10, 30], [0, 31], [10, 31]]).float()
    sample = LayerSample(x, torch.tensor([0, 0, 1, 1] * 2), torch.tensor([0, 1, 0, 1, 2, 3, 2, 3]))
    assert knn_lid(sample, k=1, distance="euclidean")["knn_lid"].tolist() == [1.0, 1.0]


def test_a_tied_vote_goes_to_the_nearest():
    x = torch.tensor([[0.0], [1.0], [-1.5], [100.0], [102.0], [101.0]])
    sample = LayerSample(x, torch.tensor([0, 0, 1, 1, 1, 0]), torch.arange(6))
    # the point at 0 sees 1 (its own) before -1.5 (the other): one vote each
    assert knn_lid(sample, k=2, distance="euclidean")["knn_lid"][0] > 0


def test_too_few_other_sentences_are_refused():
    with pytest.raises(ValueError, match=r"argument `k`.*; lower metrics\.knn_lid\.k or add sentences$"):
        knn_lid(plant(4, 3, 8), k=9)
    with pytest.raises(ValueError, match=r"argument `k`.*; raise metrics\.knn_lid\.k$"):
        knn_lid(plant(4, 3, 8), k=0)
    knn_lid(plant(4, 3, 8), k=8)

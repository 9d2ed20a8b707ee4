import pytest
import torch

from babelscope.metrics import LayerSample, cka, language_subspace, mexa, mutual_knn, retrieval
from babelscope.metrics.parallel import align_sentences, find_pivot, language_pairs, per_language, symmetric_scores
from tests.metrics.aligned import shuffled
from tests.metrics.planted import plant

SCORES = [mexa, retrieval, cka, mutual_knn, language_subspace]


def test_points_are_brought_into_order_and_not_copied_when_they_are():
    sample = plant(3, 5, 4, names=("a", "b", "c"))
    assert align_sentences(sample).data_ptr() == sample.x.data_ptr()
    moved, rename = shuffled(sample, 0)
    sentence = torch.zeros(5, dtype=torch.int64)
    g = torch.Generator().manual_seed(0)
    sentence[torch.randperm(5, generator=g)] = torch.arange(5)
    assert torch.equal(align_sentences(moved)[rename][:, sentence.argsort()], 4 * align_sentences(sample))


def test_values_per_language():
    values = torch.tensor([[0.0, 1, 2], [3, 0, 5], [6, 7, 0]])
    assert per_language(values, 0).tolist() == [1.5, 1, 2]
    assert per_language(values, 2).tolist() == [6, 7, 6.5]
    assert per_language(values, None).tolist() == [4.5, 4, 3.5]
    assert language_pairs(3, 1) == [(1, 0), (1, 2)]
    assert language_pairs(3, None) == [(0, 1), (0, 2), (1, 2)]


def test_symmetric_scores_are_reduced_as_the_table_of_all_pairs_is():
    table = torch.tensor([[0.0, 1, 2], [1, 0, 5], [2, 5, 0]], dtype=torch.float64)
    for pivot in (0, 2, None):
        assert torch.equal(symmetric_scores(3, pivot, lambda *pair: table[pair]), per_language(table, pivot))


@pytest.mark.parametrize("score", SCORES)
def test_a_pivot_that_is_not_there_is_refused(score):
    sample = plant(3, 20, 8, names=("deu_Latn", "fra_Latn", "rus_Cyrl"))
    with pytest.raises(ValueError, match=r"`pivot`.*'eng_Latn' with deu_Latn, fra_Latn, rus_Cyrl; ") as caught:
        score(sample)
    assert "\n" not in str(caught.value)
    score(sample, pivot="fra_Latn")
    score(sample, pivot=None)
    assert find_pivot(plant(3, 5, 4), "2") == 2


@pytest.mark.parametrize("score", SCORES)
def test_sentences_that_are_not_aligned_are_refused(score):
    x, language = torch.randn(24, 4, generator=torch.Generator().manual_seed(0)), torch.arange(24) // 12
    for sentence in (torch.arange(24), torch.arange(12).repeat(2) // 2, torch.arange(24) % 12 + torch.arange(24) // 23):
        with pytest.raises(ValueError, match="same sentences, once each, in every language") as caught:
            score(LayerSample(x, language, sentence, ("eng_Latn", "deu_Latn")))
        assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match=r"deu_Latn \(11\) are not those of eng_Latn \(12\)"):
        score(LayerSample(x[:23], language[:23], torch.arange(23) % 12, ("eng_Latn", "deu_Latn")))


@pytest.mark.parametrize("score", SCORES)
def test_one_language_is_refused(score):
    with pytest.raises(ValueError, match="at least 2 languages"):
        score(plant(1, 20, 8))

import pytest
import torch

from babelscope.metrics.probes.folds import sentence_folds


def test_translations_share_a_fold_and_folds_are_even():
    sentence = torch.tensor([40, 7, 19, 3, 88, 5]).repeat(3)
    fold = sentence_folds(sentence, 3, torch.Generator().manual_seed(0))
    assert torch.equal(fold[:6], fold[6:12])
    assert torch.bincount(fold).tolist() == [6, 6, 6]


@pytest.mark.parametrize(("folds", "remedy"), [(1, "raise"), (7, "add sentences, or lower")])
def test_impossible_numbers_of_folds_are_refused(folds, remedy):
    with pytest.raises(ValueError, match=f"argument `folds`.*; {remedy} .* metrics.separability.folds$"):
        sentence_folds(torch.arange(6), folds, torch.Generator())

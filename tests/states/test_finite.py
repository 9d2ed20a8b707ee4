import pytest
import torch

from babelscope.states.finite import refuse_non_finite

SAID = {"layer": "3", "languages": ("eng_Latn", "deu_Latn"), "ids": ("s0", "s1", "s2")}


def test_a_count_says_of_what_it_is():
    bad = torch.tensor([True, False, False])
    with pytest.raises(ValueError, match=r"'s1' in deu_Latn \(2 of 3 sentences in its batch\); load"):
        refuse_non_finite(bad, torch.tensor([0, 4, 5]), **SAID)
    with pytest.raises(ValueError, match=r"'s1' in eng_Latn \(2 of 6 sentences\); load"):
        refuse_non_finite(torch.cat([bad, bad | True]), torch.arange(6), **SAID)

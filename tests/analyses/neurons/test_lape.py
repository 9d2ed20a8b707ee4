from math import log

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from babelscope.analyses.neurons.lape import entropies, lape


def entropy_of(p):
    total = sum(p)
    return -sum(x / total * log(x / total) for x in p if x > 0) if total else 0.0


def lape_by_hand(rates, share, bar):
    """Plain lists: entropy of every neuron, then the rule, one neuron at a time."""
    languages, blocks, neurons = rates.shape
    p = {(b, f): rates[:, b, f].tolist() for b in range(blocks) for f in range(neurons)}
    every = sorted(x for some in p.values() for x in some)
    least = every[max(round(len(every) * bar), 1) - 1]
    ranked = sorted((round(entropy_of(some), 12), place) for place, some in p.items() if max(some) > least)
    region = torch.zeros(languages, blocks, neurons, dtype=torch.bool)
    for _, (b, f) in ranked[: round(blocks * neurons * share)]:
        for k in range(languages):
            region[k, b, f] = p[b, f][k] > least
    return region


def counted(languages, blocks, neurons, *, tokens, seed):
    """Firing rates as they come: counts over tokens, with equal ones and zeros among them."""
    g = torch.Generator().manual_seed(seed)
    wanted = torch.rand(languages, blocks, neurons, generator=g, dtype=torch.float64) ** 3
    return torch.round(wanted * tokens) / tokens


@settings(max_examples=40, deadline=None)
@given(
    shape=st.tuples(st.integers(2, 6), st.integers(1, 4), st.integers(5, 40)),
    tokens=st.sampled_from([3, 10, 1000]),
    share=st.sampled_from([0.1, 0.3, 0.9]),
    bar=st.sampled_from([0.01, 0.5, 0.8, 0.95, 0.999]),
    seed=st.integers(0, 999),
)
def test_regions_are_those_of_the_rule_by_hand(shape, tokens, share, bar, seed):
    rates = counted(*shape, tokens=tokens, seed=seed)
    if round(shape[1] * shape[2] * share):
        assert torch.equal(lape(rates, share=share, bar=bar), lape_by_hand(rates, share, bar))


@settings(max_examples=20, deadline=None)
@given(tokens=st.sampled_from([2, 5, 100]), seed=st.integers(0, 999), order=st.permutations(range(5)))
def test_the_order_of_languages_decides_nothing(tokens, seed, order):
    rates = counted(5, 3, 40, tokens=tokens, seed=seed)
    assert torch.equal(lape(rates[list(order)], share=0.2, bar=0.8), lape(rates, share=0.2, bar=0.8)[list(order)])


def test_entropy():
    rates = torch.tensor([[0.2, 0.3, 0.0, 0.5, 1e-300], [0.2, 0.0, 0.0, 0.25, 0.0]], dtype=torch.float64)[:, None]
    wanted = [log(2), 0.0, 0.0, entropy_of([2, 1]), 0.0]
    assert entropies(rates)[0].tolist() == pytest.approx(wanted, abs=1e-15)


def test_a_planted_neuron_belongs_to_its_language_and_a_silent_one_to_none():
    rates = torch.full((3, 2, 50), 0.1, dtype=torch.float64)
    rates[1, 1, 7] = 0.9  # of language 1
    rates[:, 0, 3] = 0.0  # silent: entropy 0, but never above the bar
    rates[:, 0, 4] = torch.tensor([0.01, 0.0, 0.0])  # of language 0 alone, but weak
    rates[:2, 0, 9] = 0.8  # of two languages
    found = lape(rates, share=0.02, bar=0.98)
    assert found.nonzero().tolist() == [[0, 0, 9], [1, 0, 9], [1, 1, 7]]
    assert torch.equal(lape(rates, share=0.01, bar=0.98).nonzero(), torch.tensor([[1, 1, 7]]))


def test_equal_neurons_are_taken_by_index():
    rates = torch.zeros(2, 2, 50, dtype=torch.float64)
    rates[0, :, 10:15] = 0.5
    found = lape(rates, share=0.07, bar=0.9)
    assert found[0].nonzero().tolist() == [[0, 10], [0, 11], [0, 12], [0, 13], [0, 14], [1, 10], [1, 11]]
    assert not found[1].any()


def test_nothing_above_the_bar_is_no_region():
    assert not lape(torch.zeros(2, 3, 40, dtype=torch.float64)).any()
    assert not lape(torch.full((2, 3, 40), 0.5, dtype=torch.float64)).any()


@pytest.mark.parametrize(
    ("rates", "changes", "message"),
    [
        (torch.zeros(2, 3, 40), {}, "got torch.float32 of shape"),
        (torch.zeros(3, 40, dtype=torch.float64), {}, r"shape \(3, 40\)"),
        (torch.zeros(1, 3, 40, dtype=torch.float64), {}, "2 languages or more, but got 1"),
        (torch.full((2, 3, 40), 2.0, dtype=torch.float64), {}, "values from 2 to 2"),
        (torch.full((2, 3, 40), torch.nan, dtype=torch.float64), {}, "values from nan"),
        (torch.zeros(2, 3, 40, dtype=torch.float64), {"share": 1.0}, "`share` to be between 0 and 1, but got 1"),
        (torch.zeros(2, 3, 40, dtype=torch.float64), {"bar": 0.0}, "`bar` to be between 0 and 1, but got 0"),
        (torch.zeros(2, 1, 20, dtype=torch.float64), {}, "at least one of 20 neurons, but got 0.01; raise it to 0.05"),
    ],
)
def test_what_is_refused(rates, changes, message):
    with pytest.raises(ValueError, match=message):
        lape(rates, **changes)

import pytest
import torch
from scipy import stats

from babelscope.metrics.lrds import lrds_by_language, lrds_of
from babelscope.metrics.pairs.intervals import interval
from babelscope.metrics.sads import sads_by_pair, sads_of
from tests.metrics.cosines import cases, randn, slow_lrds, slow_sads, sums_of


@pytest.mark.parametrize("case", ["random", "with zeros", "duplicated"])
@pytest.mark.parametrize(("statistic", "slow"), [(lrds_of, slow_lrds), (sads_of, slow_sads)])
def test_equals_an_explicit_jackknife(case, statistic, slow):
    x = cases()[case]
    n = x.shape[1]
    without = [sum(values) / len(values) for values in (slow(x[:, torch.arange(n) != s]) for s in range(n))]
    spread = sum((value - sum(without) / n) ** 2 for value in without)
    half = stats.t.ppf(0.975, n - 1) * ((n - 1) / n * spread) ** 0.5
    centre = sum(slow(x)) / len(x)
    low, high = interval(sums_of(x), statistic)
    assert (low.item(), high.item()) == pytest.approx((centre - half, centre + half), abs=1e-10)


def test_every_language_and_pair_has_its_own():
    sums = sums_of(randn(3, 8, 5))
    assert [limit.shape for limit in interval(sums, lrds_by_language)] == [(3,), (3,)]
    low, high = interval(sums, sads_by_pair)
    assert low.shape == (3, 3)
    assert bool((low <= high).all())


def test_it_holds_the_truth_in_most_samples():
    """The languages stay, the sentences are drawn afresh; the truth is what very many of them have."""
    generator = torch.Generator().manual_seed(0)
    language = torch.randn(4, 1, 30, generator=generator).double()

    def draw(n):
        meaning, noise = torch.randn(n, 30, generator=generator), torch.randn(4, n, 30, generator=generator)
        return sums_of(language + 0.7 * meaning + 0.7 * noise)

    many = draw(20_000).means
    for statistic in (lrds_of, sads_of):
        truth = statistic(many)
        held = [low <= truth <= high for low, high in (interval(draw(25), statistic) for _ in range(100))]
        assert 87 <= sum(map(bool, held)) <= 100


def test_two_sentences_have_none():
    with pytest.raises(ValueError, match="at least 3 sentences"):
        interval(sums_of(randn(3, 2, 5)), lrds_of)

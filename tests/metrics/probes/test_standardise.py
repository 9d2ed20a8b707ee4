import pytest
import torch

from babelscope.metrics.probes import standardise as module
from babelscope.metrics.probes.standardise import language_means, standardise


def plain(x, train, test, offset, group):
    v = x.double() - offset[group]
    mean, spread = v[train].mean(0), v[train].std(0, correction=0)
    z = ((v - mean) / torch.where(spread > 1e-10 * mean.abs(), spread, torch.inf)).float()
    return z[train], z[test]


@pytest.mark.parametrize("scale", [1.0, 1e15, 1e-15])
@pytest.mark.parametrize("block", [1, 60, 2**18])
def test_equals_a_plain_computation(monkeypatch, scale, block):
    monkeypatch.setattr(module, "BLOCK", block)
    g = torch.Generator().manual_seed(0)
    x = scale * (torch.randn(50, 6, generator=g) + torch.tensor([0.0, 1e3, 1e6, 0, 0, 0]))
    x[:, 3], x[:, 4] = 0.1, 0
    x[7] = scale * 1e6  # one point far off, held out
    order = torch.randperm(50, generator=g)
    test, train = torch.cat([order[:10], torch.tensor([7])]).unique(), order[10:]
    train = train[train != 7]
    group = torch.arange(50) % 3
    for offset in (torch.zeros(3, 6, dtype=torch.float64), language_means(x, group, train, 3)):
        found = standardise(x, train, test, offset=offset, group=group)
        for own, expected in zip(found, plain(x, train, test, offset, group), strict=True):
            torch.testing.assert_close(own[:, :3], expected[:, :3], rtol=1e-5, atol=1e-6)
        assert not found[0][:, 3:5].any()


def test_language_means_are_those_of_the_given_points():
    x = torch.randn(40, 5, generator=torch.Generator().manual_seed(0))
    language, points = torch.arange(40) % 4, torch.arange(0, 40, 3)
    found = language_means(x, language, points, 5)
    for number in range(4):
        own = points[language[points] == number]
        torch.testing.assert_close(found[number], x[own].double().mean(0))
    assert not found[4].any()

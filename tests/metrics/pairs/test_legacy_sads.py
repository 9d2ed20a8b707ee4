from itertools import combinations

import numpy as np
import pytest
import torch

from babelscope.metrics.pairs.legacy_sads import legacy_order
from babelscope.metrics.sads import sads_of
from tests.metrics.cosines import cases, cosine, planted, sums_of

CASES = cases()


def released(x):
    """Means of K x K blocks of cosines without their diagonals: those on the diagonal less all others."""
    languages, sentences, _ = x.shape
    v = x.numpy() / (x.abs().max().item() or 1)
    points = [v[i // sentences, i % sentences] for i in range(languages * sentences)]
    order = [i for first in range(sentences + 1) for i in range(first, len(points), sentences + 1)]
    blocks = [order[b * languages : (b + 1) * languages] for b in range(sentences)]

    def mean(one, other):
        places = range(languages)
        return np.mean([cosine(points[one[p]], points[other[q]]) for p in places for q in places if p != q])

    inside = np.mean([mean(block, block) for block in blocks])
    return inside - np.mean([(mean(a, b) + mean(b, a)) / 2 for a, b in combinations(blocks, 2)])


@pytest.mark.parametrize("case", CASES)
def test_equals_the_released_blocks(case):
    x = CASES[case]
    assert sads_of(sums_of(legacy_order(x)).means).item() == pytest.approx(released(x), abs=1e-10)


def test_golden_value():  # science F6
    values = [sads_of(sums_of(legacy_order(planted(seed=10 * seed))).means).item() for seed in range(3)]
    assert sum(values) / 3 == pytest.approx(-0.003, abs=0.001)


def test_points_are_reordered_and_none_is_lost():
    points = torch.arange(12).view(3, 4)
    assert legacy_order(points).T.flatten().tolist() == [0, 5, 10, 1, 6, 11, 2, 7, 3, 8, 4, 9]

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from babelscope.metrics import LayerSample, drift, mexa, needs_start, score
from tests.metrics.aligned import NAMES, N, awkward, shuffled
from tests.metrics.planted import brute_force, plant
from tests.metrics.test_cka import slow

CASES = awkward()


def moved_by(sample, amount, seed=1):
    noise = torch.randn(sample.x.shape, generator=torch.Generator().manual_seed(seed))
    return replace(sample, start=sample.x + amount * noise)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("amount", [0.0, 0.5])
def test_equals_the_definition(case, amount):
    sample = moved_by(CASES[case], amount)
    result = drift(sample, k=4)
    for language in range(4):
        now, then = (x.view(4, N, -1)[language] for x in (sample.x, sample.start))
        kept = [
            len(set(a) & set(b)) / 4
            for a, b in zip(brute_force(now, 4, "cosine")[1], brute_force(then, 4, "cosine")[1], strict=True)
        ]
        assert result["drift_knn"][language].item() == pytest.approx(np.mean(kept), abs=1e-12)
        expected = slow(now.numpy().astype(np.longdouble), then.numpy().astype(np.longdouble))
        assert result["drift_cka"][language].item() == pytest.approx(expected, abs=1e-7)


def test_what_has_not_moved_or_only_turned_has_not_drifted():
    sample = plant(3, 20, 8, noise=1)
    rotation = torch.linalg.qr(torch.randn(8, 8, generator=torch.Generator().manual_seed(0)))[0]
    for start in (sample.x.clone(), 2 * sample.x @ rotation):
        result = drift(replace(sample, start=start))
        assert result["drift_knn"].tolist() == [1, 1, 1]
        assert result["drift_cka"].tolist() == pytest.approx([1] * 3, abs=1e-6)


def test_each_language_is_compared_with_itself():
    sample = plant(3, 20, 8, noise=1)
    start = sample.x.clone()
    start[20:40] = torch.randn(20, 8, generator=torch.Generator().manual_seed(5))
    result = drift(replace(sample, start=start))
    assert result["drift_knn"][[0, 2]].tolist() == [1, 1]
    assert result["drift_knn"][1] < 0.8
    assert result["drift_cka"][1] < 0.5


def test_unrelated_states_are_at_the_null():
    found = []
    for seed in range(20):
        now, then = (plant(4, 30, 16, meaning=0, noise=1, seed=seed + shift) for shift in (0, 100))
        found.append(drift(replace(now, start=then.x)))
    null = found[0]["drift_knn_null"].item()
    assert null == pytest.approx(10 / 29)
    for key, expected in (("drift_knn", null), ("drift_cka", 0.0)):
        values = torch.stack([result[key].mean() for result in found])
        assert values.mean().item() == pytest.approx(expected, abs=4 * values.std().item() / 20**0.5)


def test_languages_may_be_unequal_and_need_not_be_aligned():
    language = torch.tensor([0] * 6 + [1] * 12)
    x = torch.randn(18, 4, generator=torch.Generator().manual_seed(0))
    result = drift(LayerSample(x, language, torch.arange(18), start=x), k=5)
    assert result["drift_knn"].tolist() == [1, 1]
    assert result["drift_knn_null"].item() == pytest.approx((5 / 5 + 5 / 11) / 2)


def test_a_collapse_is_finite():
    sample = plant(3, 20, 8)
    result = drift(replace(sample, start=sample.x, x=torch.full_like(sample.x, 0.1)))
    assert result["drift_cka"].tolist() == [0, 0, 0]
    assert result["drift_knn"].isfinite().all()


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6))
def test_order_and_scale_change_nothing(seed):
    sample = moved_by(plant(4, 10, 5, offset=0.3, noise=0.7, seed=seed, names=NAMES), 0.5, seed)
    moved, rename = shuffled(sample, seed)
    before, after = (drift(which, k=3) for which in (sample, moved))
    for key in ("drift_knn", "drift_cka"):
        torch.testing.assert_close(after[key][rename], before[key])


def test_what_is_missing_is_said_in_one_line():
    with pytest.raises(ValueError, match="probe start=CHECKPOINT") as caught:
        drift(plant(3, 20, 8))
    assert "\n" not in str(caught.value)
    sample = plant(3, 10, 8)
    with pytest.raises(ValueError, match="k=10 with 10 in 0; lower"):
        drift(replace(sample, start=sample.x))
    with pytest.raises(ValueError, match="k=0 with 10 in 0; raise"):
        drift(replace(sample, start=sample.x), k=0)
    small = plant(3, 3, 8)
    with pytest.raises(ValueError, match="at least 4"):
        drift(replace(small, start=small.x), k=2)


def test_which_metrics_need_the_start():
    assert needs_start(drift)
    assert needs_start(partial(partial(drift, k=3), distance="euclidean"))
    assert not needs_start(partial(mexa, pivot=None))
    assert not needs_start(lambda sample: {})


def test_a_metric_of_ones_own_says_that_it_reads_the_start():
    def moved(sample, *, scale=1.0):
        return {"moved": scale * (sample.x - sample.start).norm()}

    assert not needs_start(partial(moved, scale=2.0))
    moved.reads_start = True
    assert needs_start(moved)
    assert needs_start(partial(moved, scale=2.0))
    with pytest.raises(ValueError, match=r"functools\.partial\(drift, k=5\), and `reads_start = True` on a function"):
        next(score([("0", plant(3, 20, 8))], {"drift": lambda sample: drift(sample, k=5)}))

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from babelscope.metrics import LayerSample, sads, score
from babelscope.metrics.sads import sads_by_language, sads_by_pair, sads_of
from tests.metrics.aligned import NAMES, awkward, shuffled
from tests.metrics.cosines import cases, planted, slow_means, slow_sads, sums_of
from tests.metrics.planted import plant

CASES = cases()


@pytest.mark.parametrize("case", CASES)
def test_equals_the_double_loop(case):
    means = sums_of(CASES[case]).means
    expected = slow_sads(CASES[case])
    different, translations = slow_means(CASES[case])
    assert sads_by_language(means).tolist() == pytest.approx(expected, abs=1e-10)
    assert sads_of(means).item() == pytest.approx(sum(expected) / len(expected), abs=1e-10)
    pairs = sads_by_pair(means)
    assert pairs[0, 1].item() == pytest.approx(translations[0, 1] - different[0, 1], abs=1e-10)
    assert pairs.diagonal().tolist() == [0] * len(pairs)
    torch.testing.assert_close(pairs, pairs.T)


def test_golden_value():  # science F6, one draw; draws differ by 0.005 (sd)
    values = [sads_of(sums_of(planted(seed=10 * seed)).means).item() for seed in range(12)]
    assert sum(values) / 12 == pytest.approx(0.179, abs=0.006)
    assert sum(values) / 12 == pytest.approx(0.36 / (1 + 0.36 + 0.36 + 0.25), abs=0.003)
    assert sads_of(sums_of(planted(meaning=0)).means).item() == pytest.approx(0, abs=0.002)


def test_only_meaning_counts():
    x = plant(4, 50, 200, offset=2, meaning=0, noise=1, names=NAMES)
    assert sads(x)["sads"].abs().max() < 0.03
    x = plant(4, 50, 200, offset=0, meaning=2, noise=1, names=NAMES)
    assert sads(x)["sads"].min() > 0.5


@pytest.mark.parametrize("case", awkward())
def test_a_layer_has_rows_per_language_their_mean_and_the_null(case):
    rows = list(score([("1", awkward()[case])], {"sads": sads}))
    assert [row["language"] for row in rows if row["metric"] == "sads"] == [*NAMES, ""]
    assert [row["value"] for row in rows if row["metric"] == "sads_null"] == [0]
    assert all(abs(row["value"]) <= 2 + 1e-12 for row in rows)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_order_and_scale_change_nothing(seed):
    sample = plant(4, 12, 5, offset=0.3, noise=0.7, seed=seed, names=NAMES)
    moved, rename = shuffled(sample, seed)
    torch.testing.assert_close(sads(moved)["sads"][rename], sads(sample)["sads"])


def test_one_language_one_sentence_or_a_corpus_that_is_not_parallel_is_refused():
    with pytest.raises(ValueError, match="at least 2 languages"):
        sads(plant(1, 5, 4))
    with pytest.raises(ValueError, match="2 sentences"):
        sads(plant(3, 1, 4))
    sample = plant(2, 3, 4)
    with pytest.raises(ValueError, match="aligned corpus"):
        sads(LayerSample(sample.x[:-1], sample.language[:-1], sample.sentence[:-1]))

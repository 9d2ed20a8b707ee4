import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from babelscope.metrics import LayerSample, lrds, score
from babelscope.metrics.lrds import lrds_by_language, lrds_of
from tests.metrics.aligned import NAMES, awkward, shuffled
from tests.metrics.cosines import cases, planted, slow_lrds, sums_of
from tests.metrics.planted import plant

CASES = cases()


@pytest.mark.parametrize("case", CASES)
def test_equals_the_double_loop(case):
    means = sums_of(CASES[case]).means
    expected = slow_lrds(CASES[case])
    assert lrds_by_language(means).tolist() == pytest.approx(expected, abs=1e-10)
    assert lrds_of(means).item() == pytest.approx(sum(expected) / len(expected), abs=1e-10)


def test_golden_value():  # science F6, one draw; draws differ by 0.005 (sd)
    values = [lrds_of(sums_of(planted(seed=10 * seed)).means).item() for seed in range(12)]
    assert sum(values) / 12 == pytest.approx(0.180, abs=0.006)
    assert sum(values) / 12 == pytest.approx(0.36 / (1 + 0.36 + 0.36 + 0.25), abs=0.003)


def test_only_languages_count():
    x = plant(4, 50, 200, offset=0, meaning=2, noise=1, names=NAMES)
    assert lrds(x)["lrds"].abs().max() < 0.03
    x = plant(4, 50, 200, offset=2, meaning=0, noise=1, names=NAMES)
    assert lrds(x)["lrds"].min() > 0.5


@pytest.mark.parametrize("case", awkward())
def test_a_layer_has_rows_per_language_their_mean_and_the_null(case):
    rows = list(score([("1", awkward()[case])], {"lrds": lrds}))
    assert [row["language"] for row in rows if row["metric"] == "lrds"] == [*NAMES, ""]
    assert [row["value"] for row in rows if row["metric"] == "lrds_null"] == [0]
    assert all(abs(row["value"]) <= 2 + 1e-12 for row in rows)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_order_and_scale_change_nothing(seed):
    sample = plant(4, 12, 5, offset=0.3, noise=0.7, seed=seed, names=NAMES)
    moved, rename = shuffled(sample, seed)
    torch.testing.assert_close(lrds(moved)["lrds"][rename], lrds(sample)["lrds"])


def test_one_language_or_one_sentence_is_refused():
    with pytest.raises(ValueError, match="at least 2 languages"):
        lrds(plant(1, 5, 4))
    with pytest.raises(ValueError, match="2 sentences"):
        lrds(plant(3, 1, 4))
    sample = plant(2, 3, 4)
    with pytest.raises(ValueError, match="same sentences"):
        lrds(LayerSample(sample.x[:-1], sample.language[:-1], sample.sentence[:-1]))

import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from babelscope.metrics import mexa, retrieval
from babelscope.metrics.parallel import align_sentences
from babelscope.metrics.retrieval import mean_precision
from tests.metrics.aligned import NAMES, N, against_pivot, awkward, directions, sample_of, shuffled, unrelated
from tests.metrics.planted import plant

CASES = awkward()
OPTIONS = {"k": 5}


def hits(similarity: np.ndarray) -> float:
    # rounding settles ties; the first of equals is found
    ranked = np.argsort(np.round(-similarity, 12), axis=1, kind="stable")
    return float((ranked[:, 0] == np.arange(len(similarity))).mean())


def plain(one: np.ndarray, other: np.ndarray) -> float:
    return hits(one @ other.T)


def csls(one: np.ndarray, other: np.ndarray) -> float:
    cosine = one @ other.T
    r_one = np.sort(cosine, axis=1)[:, -5:].mean(1)
    r_other = np.sort(cosine, axis=0)[-5:].mean(0)
    return hits(2 * cosine - r_one[:, None] - r_other[None])


def skew(one: np.ndarray, other: np.ndarray) -> float:
    found = np.argsort(np.round(-(one @ other.T), 12), axis=1, kind="stable")[:, :5]
    counts = np.bincount(found.flatten(), minlength=len(other))
    return float(scipy.stats.skew(counts)) if counts.std() else 0.0


def turned(measure):
    return lambda one, other: measure(other, one)


@pytest.mark.parametrize("pivot", ["eng_Latn", "jpn_Jpan", None])
@pytest.mark.parametrize("case", CASES)
def test_equals_the_definition(case, pivot):
    sample = CASES[case]
    result = retrieval(sample, pivot=pivot, **OPTIONS)
    states, centre = directions(sample), None if pivot is None else NAMES.index(pivot)
    expected = {
        "retrieval_to": against_pivot(states, plain, centre),
        "retrieval_from": against_pivot(states, turned(plain), centre),
        "csls_to": against_pivot(states, csls, centre),
        "csls_from": against_pivot(states, turned(csls), centre),
    }
    for key, values in expected.items():
        assert result[key].tolist() == pytest.approx(values, abs=1e-12), key
    hubs = [against_pivot(states, measure, centre) for measure in (skew, turned(skew))]
    assert result["hubness"].tolist() == pytest.approx(np.mean(hubs, axis=0).tolist(), abs=1e-9)
    for key in ("retrieval", "csls"):
        torch.testing.assert_close(result[key], (result[f"{key}_to"] + result[f"{key}_from"]) / 2)
    torch.testing.assert_close(mean_precision(align_sentences(sample), centre), result["retrieval"])


def test_an_exact_copy_is_always_found():
    x = torch.randn(1, N, 6, generator=torch.Generator().manual_seed(0))
    result = retrieval(sample_of(x.repeat(3, 1, 1)), **OPTIONS)
    assert all(result[key].tolist() == [1, 1, 1] for key in ("retrieval", "csls"))


@pytest.mark.parametrize("value", [0.0, 0.1])
def test_a_collapsed_layer_is_at_the_null(value):
    result = retrieval(sample_of(torch.full((3, N, 6), value)), **OPTIONS)
    for key in ("retrieval", "retrieval_to", "csls", "csls_from"):
        assert result[key].tolist() == pytest.approx([1 / N] * 3)
    assert result["retrieval_null"].item() == 1 / N
    assert result["hubness"].isfinite().all()


def test_direction_is_told_apart():
    # all of b lie nearest to one of a: a finds its translations in b, b does not find a's
    a = torch.tensor([[1.0, 0], [1, 1], [1, 2]])
    b = torch.tensor([[1.0, -0.1], [1, -0.05], [1, -0.02]])
    result = retrieval(sample_of(torch.stack([a, b])), k=1)
    assert result["retrieval_from"].tolist() == pytest.approx([1 / 3] * 2)
    assert result["hubness"][0] > 0


def test_pure_noise_is_at_the_null():
    found = [retrieval(sample, pivot=None) for sample in unrelated(30)]
    null = found[0]["retrieval_null"].item()
    trials = 30 * 12 * 60
    for key in ("retrieval", "csls"):
        share = torch.stack([result[key] for result in found]).mean().item()
        assert share == pytest.approx(null, abs=4 * (null / trials) ** 0.5)


def test_csls_finds_what_hubs_hide():
    g = torch.Generator().manual_seed(0)
    meaning = torch.randn(60, 16, generator=g)
    one, other = meaning + 0.5 * torch.randn(2, 60, 16, generator=g)
    pull = torch.linspace(0, 2, 60).unsqueeze(1)  # some sentences lie further along what all queries share
    hubs = retrieval(sample_of(torch.stack([one + 1, other + pull])))
    even = retrieval(sample_of(torch.stack([one, other])))
    assert hubs["csls"][1] > hubs["retrieval"][1] + 0.05
    assert hubs["hubness"][1] > even["hubness"][1]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([*NAMES, None]))
def test_order_and_scale_change_nothing(seed, pivot):
    sample = plant(4, 12, 5, offset=0.3, noise=0.7, seed=seed, names=NAMES)
    moved, rename = shuffled(sample, seed)
    before, after = (retrieval(which, pivot=pivot, **OPTIONS) for which in (sample, moved))
    for key in ("retrieval_to", "retrieval_from", "csls", "hubness"):
        torch.testing.assert_close(after[key][rename], before[key])
    one = "eng_Latn" if pivot is None else pivot
    both, each = mexa(sample, pivot=one)["mexa"], retrieval(sample, pivot=one, **OPTIONS)
    assert (both <= torch.minimum(each["retrieval_to"], each["retrieval_from"]) + 1e-12).all()


@pytest.mark.parametrize("k", [0, 21])
def test_impossible_neighbours_are_refused(k):
    with pytest.raises(ValueError, match="argument `k`"):
        retrieval(plant(3, 20, 8), pivot="0", k=k)

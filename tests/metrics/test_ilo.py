import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from babelscope.metrics import LayerSample, ilo, mixing_null
from tests.metrics.planted import plant, slow_ilo


def mean(result, key):
    return result[key].mean().item()


def test_golden_values_of_three_planted_spaces():  # science F4
    aligned, apart, mixed = (
        ilo(plant(offset=offset, meaning=meaning, noise=noise))
        for offset, meaning, noise in ((0, 1, 0.05), (10, 0, 1), (0, 0, 1))
    )
    assert [mean(aligned, key) for key in ("ilo", "bridge", "reach")] == [1, 1, 1]
    assert [mean(apart, key) for key in ("ilo", "bridge", "reach")] == [0, 0, 0]
    assert mean(mixed, "bridge") == pytest.approx(0.87, abs=0.03)
    assert mean(mixed, "reach") == 1
    assert mean(mixed, "ilo") == pytest.approx(0.93, abs=0.02)
    assert mean(mixed, "bridge") == pytest.approx(mixed["bridge_null"].item(), abs=0.03)


GOLDEN = {31: "0.9972", 15: "0.9779", 10: "0.9324", 9: "0.9104", 8: "0.8780", 5: "0.6144", 4: "0.3809"}


@pytest.mark.parametrize(("languages", "expected"), GOLDEN.items())
def test_golden_values_of_the_mixing_null(languages, expected):  # science F5
    assert f"{mixing_null(5, 3, languages).bridge:.4f}" == expected


def test_golden_values_of_the_mixing_null_at_its_limits():
    assert [mixing_null(5, 3, languages).bridge for languages in (1, 2, 3)] == [0, 0, 0]
    assert f"{mixing_null(10, 5, 31).bridge:.4f}" == "0.9998"
    assert f"{mixing_null(10, 5, 9).bridge:.4f}" == "0.8666"
    assert mixing_null(10, 5, 5) == (0, 1, 0)
    assert mixing_null(1, 1, 2, 1) == (0.5, 0.5, 0.5)
    assert mixing_null(5, 3, 1) == (0, 0, 0)


def test_the_mixing_null_is_the_mean_of_random_draws():
    generator = torch.Generator().manual_seed(0)
    draws = torch.randint(0, 6, (20_000, 4), generator=generator)
    met = torch.zeros(20_000, 6).scatter_(1, draws, 1.0)[:, 1:].sum(1)
    assert (met >= 2).double().mean().item() == pytest.approx(mixing_null(4, 2, 6).bridge, abs=0.01)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=6), st.integers(0, 10**6), st.data())
def test_equals_the_definition_for_unequal_languages(sizes, seed, data):
    generator = torch.Generator().manual_seed(seed)
    language = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))
    points = len(language)
    if points < 3:
        return
    x = torch.randn(points, 4, generator=generator)
    sample = LayerSample(x + torch.randn(len(sizes), 4, generator=generator)[language], language, torch.arange(points))
    k = data.draw(st.integers(1, min(6, points - 1)))
    threshold = data.draw(st.integers(1, k))
    result = ilo(sample, k=k, threshold=threshold)
    for key, expected in slow_ilo(sample, k, threshold).items():
        assert result[key].tolist() == pytest.approx(expected, abs=1e-12)
    torch.testing.assert_close(result["neighbour_share"].sum(1), torch.ones(len(sizes), dtype=torch.float64))

    order = torch.randperm(points, generator=generator)
    rename = torch.randperm(len(sizes), generator=generator)
    moved = LayerSample(sample.x[order] * 2, rename[language[order]], sample.sentence[order])
    again = ilo(moved, k=k, threshold=threshold)
    for key in ("ilo", "bridge", "reach"):
        torch.testing.assert_close(again[key][rename], result[key])
    torch.testing.assert_close(again["neighbour_share"][rename][:, rename], result["neighbour_share"])


def test_duplicates_are_neighbours_and_never_the_point_itself():
    sample = plant(4, 10, 8, noise=0.0)  # every translation is the same vector
    result = ilo(sample, k=3, threshold=3)
    assert result["ilo"].tolist() == [1, 1, 1, 1]
    assert result["neighbour_share"].diagonal().tolist() == [0, 0, 0, 0]


def test_one_language_reaches_nothing():
    result = ilo(plant(1, 20, 8))
    assert [mean(result, key) for key in ("ilo", "bridge", "reach", "bridge_null", "ilo_null")] == [0] * 5
    assert result["neighbour_share"].tolist() == [[1.0]]


@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
def test_rotation_changes_nothing(distance):
    sample = plant(5, 20, 16, offset=0.3, noise=0.5)
    rotation = torch.linalg.qr(torch.randn(16, 16, generator=torch.Generator().manual_seed(1)))[0]
    turned = LayerSample(sample.x @ rotation, sample.language, sample.sentence)
    torch.testing.assert_close(ilo(turned, distance=distance)["ilo"], ilo(sample, distance=distance)["ilo"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k": 0}, "`k`.*; raise metrics.ilo.k$"),
        ({"k": 60}, "`k`.*; lower metrics.ilo.k or add sentences$"),
        ({"threshold": 0}, "`threshold`"),
        ({"threshold": 6}, "`threshold`"),
    ],
)
def test_impossible_arguments_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        ilo(plant(3, 20, 8), **options)


def test_strict_refuses_what_nobody_can_reach():
    assert mean(ilo(plant(3, 20, 8)), "ilo") == 0
    with pytest.raises(ValueError, match="other languages, but got 3 with 3"):
        ilo(plant(3, 20, 8), strict=True)

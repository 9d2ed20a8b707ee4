import pytest
import torch

from babelscope.analyses.regions import Regions, z_regions


def test_what_regions_say_of_themselves():
    a, b = torch.zeros(3, 4, dtype=torch.bool), torch.zeros(3, 4, dtype=torch.bool)
    a[0, :2] = a[2, 3] = True
    regions = Regions({"eng_Latn": a, "rus_Cyrl": b}, "z", "down_input")
    assert (regions.languages, regions.shape, regions.empty) == (("eng_Latn", "rus_Cyrl"), (3, 4), ("rus_Cyrl",))
    assert regions.counts.tolist() == [[2, 0, 1], [0, 0, 0]]


@pytest.mark.parametrize(
    ("masks", "message"),
    [
        ({}, "at least one language"),
        ({"a": torch.zeros(2, 3)}, r"float32 of shape \(2, 3\) for a"),
        ({"a": torch.zeros(6, dtype=torch.bool)}, r"of shape \(6,\) for a"),
        ({"a": torch.zeros(0, 3, dtype=torch.bool)}, r"of shape \(0, 3\) for a"),
        (
            {"a": torch.zeros(2, 3, dtype=torch.bool), "b": torch.zeros(2, 4, dtype=torch.bool)},
            r"\(2, 4\) for b beside \(2, 3\); give masks of one model",
        ),
    ],
)
def test_masks_that_are_none(masks, message):
    with pytest.raises(ValueError, match=message):
        Regions(masks, "z", "down_input")


def test_key_neurons_are_those_above_the_threshold():
    z = torch.tensor([[[0.75, 0.76], [-3.0, 1.0]], [[0.0, 0.7], [0.9, 0.0]]])  # (K, L, F)
    regions = z_regions(
        ((str(i + 1), z[:, i]) for i in range(2)), ["eng_Latn", "rus_Cyrl"], threshold=0.75, weights="w", model="m"
    )
    assert regions.masks["eng_Latn"].tolist() == [[False, True], [False, True]]
    assert regions.masks["rus_Cyrl"].tolist() == [[False, False], [True, False]]
    assert (regions.criterion, regions.reading, regions.settings) == ("z", "down_input", {"threshold": 0.75})
    assert (regions.weights, regions.model) == ("w", "m")


@pytest.mark.parametrize(
    ("z", "message"),
    [
        ([], "at least one block"),
        ([("2", torch.zeros(2, 3))], "got block '2' .* in place 1"),
        ([("1", torch.zeros(2, 3)), ("1", torch.zeros(2, 3))], "got block '1' .* in place 2"),
        ([("1", torch.zeros(2, 3)), ("2", torch.zeros(2, 4))], r"of shape \(2, 4\) in place 2"),
        ([("1", torch.zeros(3, 3))], r"with \(2, 3\) scores each"),
        ([("1", torch.full((2, 3), torch.nan))], "block 1 has nan"),
    ],
)
def test_scores_that_are_no_blocks_in_order(z, message):
    with pytest.raises(ValueError, match=message):
        z_regions(z, ["eng_Latn", "rus_Cyrl"], threshold=0.5)


def test_a_threshold_out_of_reach_and_a_language_twice():
    z = [("1", torch.zeros(5, 3))]
    with pytest.raises(ValueError, match=r"below 2\.000"):
        z_regions(z, list("abcde"))
    with pytest.raises(ValueError, match="name every language once, but got a, b, c, d, a"):
        z_regions(z, list("abcda"), threshold=1.5)

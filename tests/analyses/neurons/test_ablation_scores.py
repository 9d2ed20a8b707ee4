import zlib

import numpy as np
import pytest
import torch
from scipy import stats

from babelscope.analyses.ablation import ablate, matched_masks
from babelscope.analyses.neurons.ablation_losses import ablation_losses
from babelscope.analyses.neurons.ablation_scores import ablation_scores
from babelscope.analyses.neurons.language_loss import LanguageLosses
from babelscope.models.parts import parts_of
from tests.analyses.neurons.rows import by_key
from tests.models.tiny import tiny_inputs, tiny_model

NAMES = ("eng_Latn", "ell_Grek")
KEYS = ("layer", "metric", "language", "other")


@pytest.fixture(scope="module")
def parts():
    return parts_of(tiny_model("bloom", depth=2))


def masks_of(parts):
    masks = {name: torch.zeros(2, parts.neurons, dtype=torch.bool) for name in NAMES}
    masks["eng_Latn"][0, :9] = True
    masks["ell_Grek"][1, 5:11] = True
    return masks


@torch.no_grad()
def levels(parts):
    """A number for each text of a batch, as if each were a language."""
    return parts.stack(**tiny_inputs(sentences=2)).last_hidden_state.abs().mean(dim=(1, 2)).tolist()


def row(metric, language, value, *, layer="2", other=""):
    return {**dict(zip(KEYS, (layer, metric, language, other), strict=True)), "value": value}


def measure_with(parts):
    def measure():
        values = levels(parts)
        rows = [row("level", name, value) for name, value in zip(NAMES, values, strict=True)]
        mean = row("level", "", sum(values) / 2)
        return [*rows, mean, row("distance", NAMES[0], 1.0, other=NAMES[1]), row("count", "", 3.0, layer="")]

    return measure


def keyed(rows):
    return by_key(rows, *KEYS)


def random_masks(mask, region, *, seed=0):
    return matched_masks(mask, count=3, seed=zlib.crc32(f"{seed}:{region}".encode()))


def test_rows_are_those_of_single_passes(parts):
    def without(mask):
        with ablate(parts, mask):
            return levels(parts)

    found, intact = keyed(ablation_scores(parts, masks_of(parts), measure_with(parts), controls=3)), levels(parts)
    expected = {("intact", ""): intact}
    for region, mask in masks_of(parts).items():
        expected["ablated", region] = without(mask)
        passes = [without(drawn) for drawn in random_masks(mask, region)]
        expected["random", region] = [sum(values) / 3 for values in zip(*passes, strict=True)]
    for (kind, region), values in expected.items():
        assert kind == "intact" or values != pytest.approx(intact, rel=1e-4)
        assert [found["2", f"{kind}_level", name, region] for name in NAMES] == pytest.approx(values)
        assert found["2", f"{kind}_level", "", region] == pytest.approx(sum(values) / 2)
        assert found["", f"{kind}_count", "", region] == pytest.approx(3)
    low, high = (found["2", f"random_level{end}", "eng_Latn", "eng_Latn"] for end in ("_low", "_high"))
    passes = [without(drawn)[0] for drawn in random_masks(masks_of(parts)["eng_Latn"], "eng_Latn")]
    assert (low, high) == pytest.approx(stats.t.interval(0.95, 2, np.mean(passes), stats.sem(passes)))
    assert len(found) == 4 * (5 + 2 * 2)  # nothing of two languages; two regions with limits of what is random
    assert levels(parts) == intact


def test_intervals_end_where_values_do(parts):
    values = iter([1.0, 1.0, 0.9, 1.0, 1.0, 0.5, 0.0, 0.1, 0.0])

    def measure():
        levels(parts)
        return [row("accuracy", "", next(values), layer="")]

    found = keyed(ablation_scores(parts, masks_of(parts), measure, controls=3, within=(0, 1)))
    assert found["", "random_accuracy_high", "", "eng_Latn"] == 1
    assert 0 < found["", "random_accuracy_low", "", "eng_Latn"] < 1
    assert found["", "random_accuracy_low", "", "ell_Grek"] == 0


def test_the_random_sets_are_those_of_the_losses(parts):
    passes = {"rows": [], "losses": []}

    def losses():
        passes["losses"].append(levels(parts))
        sizes = torch.ones(2, 2)
        return LanguageLosses(sizes.double(), sizes.long(), sizes.double(), NAMES)

    def measure():
        passes["rows"].append(levels(parts))
        return []

    options = {"controls": 3, "seed": 4}
    ablation_losses(parts, masks_of(parts), losses, **options)
    assert ablation_scores(parts, masks_of(parts), measure, **options) == []
    assert len(passes["rows"]) == 1 + 2 * (1 + 3)
    assert passes["rows"] == passes["losses"]


def test_a_region_alone_has_the_same_rows_and_random_sets_follow_the_seed(parts):
    measure, one = measure_with(parts), {"ell_Grek": masks_of(parts)["ell_Grek"]}
    seen = []
    alone = keyed(ablation_scores(parts, one, measure, controls=2, progress=lambda names: seen.append(names) or names))
    assert seen == [["ell_Grek"]]
    assert alone.items() <= keyed(ablation_scores(parts, masks_of(parts), measure, controls=2)).items()
    reseeded = keyed(ablation_scores(parts, one, measure, controls=2, seed=1))
    assert {key[1] for key in alone if alone[key] != reseeded[key]} == {
        "random_level",
        "random_level_low",
        "random_level_high",
    }


def test_too_few_controls_are_refused_before_anything_runs(parts):
    with pytest.raises(ValueError, match="`controls` to be at least 2, for their interval, but got 1"):
        ablation_scores(parts, masks_of(parts), lambda: pytest.fail("measured"), controls=1)


def test_an_empty_region_is_an_error(parts):
    empty = {"eng_Latn": torch.zeros(2, parts.neurons, dtype=torch.bool)}
    with pytest.raises(ValueError, match="empty region"):
        ablation_scores(parts, empty, measure_with(parts))

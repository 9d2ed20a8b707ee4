import pytest
import torch

from babelscope.metrics import LayerSample, script_separability
from babelscope.metrics.script_separability import _balance
from tests.metrics.planted import plant

NAMES = ("eng_Latn", "rus_Cyrl", "fra_Latn", "hin_Deva", "ukr_Cyrl", "deu_Latn")


def apart_by_script(scale=1):
    sample = plant(6, 40, 24, noise=0.5, meaning=0.5, names=NAMES)
    script = torch.tensor([0, 1, 0, 2, 1, 0])[sample.language]
    x = sample.x + 3 * torch.randn(3, 24, generator=torch.Generator().manual_seed(2))[script]
    return LayerSample(scale * x, sample.language, sample.sentence, NAMES)


def test_offset_by_script_is_found_and_the_control_is_at_chance():
    result = script_separability(apart_by_script(), minimum=20)
    assert {key for key in result if "/" in key} == {f"script_separability/{s}" for s in ("Latn", "Cyrl", "Deva")}
    assert result["script_separability"].item() > 0.99
    assert result["script_separability_control"].item() == pytest.approx(0.5, abs=0.15)


def test_without_script_structure_accuracy_is_chance():
    result = script_separability(plant(6, 60, 24, noise=0.5, names=NAMES))
    assert result["script_separability"].item() == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("scale", [1e-30, 1e19, 1e30])
def test_the_size_of_states_does_not_matter(scale):
    of = [script_separability(apart_by_script(by), minimum=20) for by in (1, scale)]
    assert of[0]["script_separability"] == of[1]["script_separability"] > 0.99


def test_rare_scripts_are_skipped():
    result = script_separability(plant(6, 40, 24, names=NAMES), minimum=60)
    assert "script_separability/Deva" not in result
    assert "script_separability/Cyrl" in result


def test_sides_are_balanced_without_repeats():
    inside = torch.tensor([True] * 5 + [False] * 20)
    chosen = _balance(inside, torch.Generator().manual_seed(0))
    assert inside[chosen].sum() == 5
    assert len(chosen.unique()) == 10


@pytest.mark.parametrize(
    ("names", "message"), [((), "no names"), (("eng",) * 6, "'eng'"), (("eng_Latn",) * 6, "writing system")]
)
def test_what_has_no_scripts_is_refused(names, message):
    with pytest.raises(ValueError, match=message):
        script_separability(plant(6, 20, 8, names=names))

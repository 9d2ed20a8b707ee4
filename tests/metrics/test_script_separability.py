import importlib

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

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


@pytest.mark.parametrize("C", [0.05, 1.0, 30.0])
def test_the_probe_is_scikit_learns_binary_one(C, monkeypatch):  # noqa: N803
    module = importlib.import_module("babelscope.metrics.script_separability")
    seen, fit = [], module.fit_logistic

    def keep(x, labels, *arguments, **options):
        seen.append((x, labels[0], fit(x, labels, *arguments, **options)[0]))
        return seen[-1][-1].expand(2, -1, -1)

    monkeypatch.setattr(module, "fit_logistic", keep)
    script_separability(apart_by_script(), minimum=20, C=C)
    for x, label, w in seen:
        theirs = LogisticRegression(C=C, tol=1e-8, max_iter=10_000).fit(x.double().numpy(), label.numpy())
        ours = (w[:, 1] - w[:, 0]).double().numpy()
        scale = abs(theirs.coef_).max()
        np.testing.assert_allclose(ours[:-1] / scale, theirs.coef_[0] / scale, atol=0.01)


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

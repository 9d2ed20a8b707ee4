from dataclasses import replace
from functools import partial

import pytest
import torch

from babelscope.metrics import ilo, separability, together
from babelscope.metrics.separability import separability_of_layers
from babelscope.metrics.together import of_layers, small_together
from tests.metrics.planted import plant

SAMPLE = plant(3, 10, 4)  # 120 numbers


def grouped(*samples):
    layers = [(str(number), sample) for number, sample in enumerate(samples)]
    return ["".join(layer for layer, _ in group) for group in small_together(layers)]


@pytest.mark.parametrize(
    ("numbers", "groups"),
    [(1, list("01234")), (120, list("01234")), (239, list("01234")), (240, ["01", "23", "4"]), (1000, ["01234"])],
)
def test_layers_are_grouped_up_to_a_size(numbers, groups, monkeypatch):
    monkeypatch.setattr(together, "MAX_NUMBERS", numbers)
    assert grouped(*[SAMPLE] * 5) == groups


def test_only_layers_of_the_same_points_are_grouped():
    wide, longer = plant(3, 10, 8), plant(3, 11, 4)
    renamed = replace(SAMPLE, languages=("a", "b", "c"))
    shuffled = replace(SAMPLE, sentence=SAMPLE.sentence.flip(0))
    assert grouped(SAMPLE, SAMPLE, wide, wide, longer, SAMPLE) == ["01", "23", "4", "5"]
    assert grouped(SAMPLE, renamed, SAMPLE, shuffled) == list("0123")
    assert grouped() == []


def test_large_layers_are_drawn_one_by_one(monkeypatch):
    monkeypatch.setattr(together, "MAX_NUMBERS", SAMPLE.x.numel())
    drawn = []

    def layers():
        for name in "01":
            drawn.append(name)
            yield name, SAMPLE

    next(small_together(layers()))
    assert drawn == ["0"]


def test_a_metric_for_several_layers_has_the_options_of_the_metric():
    assert of_layers(ilo) is None
    assert of_layers(partial(ilo, k=3)) is None
    assert of_layers(separability) is separability_of_layers
    chosen = of_layers(partial(partial(separability, folds=2), C=3.0))
    assert chosen.func is separability_of_layers
    assert chosen.keywords == {"folds": 2, "C": 3.0}
    for name, value in separability(SAMPLE, folds=2, C=3.0).items():
        assert torch.equal(chosen([SAMPLE])[0][name], value)

"""Which parts the guard freezes, by scores that are told to it."""

import pytest
import torch

from babelscope.metrics import ilo
from babelscope.training.guard import AlignmentGuard
from tests.models.tiny import tiny_model, tiny_tokenizer
from tests.training.runs import WATCHED, decisions, guard, weights_of
from tests.training.test_guard import STEPS, fit, names_below


class Scripted(AlignmentGuard):
    """Finds what it is told."""

    def __init__(self, *scores, **options):
        super().__init__(WATCHED, tiny_tokenizer(), metric=ilo, key="ilo", **{"watch": (0, None), **options})
        self.script = list(scores)

    def _scores(self, trainer, model):
        return {str(layer): self.script[0][layer] for layer in self.watched} if len(self.script) == 1 else self._next()

    def _next(self):
        scores = self.script.pop(0)
        return {str(layer): scores[layer] for layer in self.watched}


FINE, LOW, LOWER = [1.0] * 5, [1, 1, 0.5, 0.5, 0.5], [1, 1, 0.5, 0.5, 1]


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ((FINE, LOW, FINE), [(4, "2", 0)]),  # curing the lowest cures those above
        ((FINE, LOW, LOWER, FINE), [(4, "2", 0), (4, "3", 0)]),  # or it does not
        ((FINE, FINE, LOW, LOWER), [(8, "2", 4), (8, "3", 4)]),  # frozen layers that are still low are let be
    ],
)
def test_the_lowest_goes_first(scores, expected, tmp_path):
    watch = Scripted(*scores)
    fit(tmp_path, watch, tiny_model("xlm-roberta", "classification"), max_epochs=2)
    assert decisions(watch.rows) == expected


@pytest.mark.parametrize(("layers", "stop"), [(3, 1), (7, 3), (13, 5), (33, 11)])
def test_by_default_the_early_third_is_watched(layers, stop):
    assert guard(watch=None)._watched(layers) == range(stop)


@pytest.mark.parametrize(("now", "frozen"), [(0.46, -1), (0.44, 2)])
def test_the_tolerance_is_a_share_of_the_score_at_step_0(now, frozen, tmp_path):
    watch = Scripted([0.5] * 5, [0.5, 0.5, now, 0.5, 0.5], [0.5] * 5, tolerance=0.1)
    fit(tmp_path, watch, tiny_model("xlm-roberta", "classification"), max_epochs=1)
    assert watch.frozen == frozen


def test_only_watched_layers_count_but_what_is_below_them_freezes_too(tmp_path):
    model, watch = tiny_model("xlm-roberta", "classification"), Scripted(FINE, [0.5] * 5, FINE, watch=[2, -1])
    look, _ = fit(tmp_path, watch, model, max_epochs=1)
    assert decisions(watch.rows) == [(4, "2", 0)]
    assert {row["layer"] for row in watch.rows} == {"2", "3"}
    after = weights_of(model)
    assert all(torch.equal(after[name], look.weights[0][name]) for name in names_below(model, 2))


def test_inputs_may_be_left_alone(tmp_path):
    model, watch = tiny_model("xlm-roberta", "classification"), Scripted(FINE, [0.5] * 5, FINE, freeze_inputs=False)
    look, _ = fit(tmp_path, watch, model, max_epochs=2)
    assert decisions(watch.rows) == [(4, "1", 0)]
    after = weights_of(model)
    assert all(torch.equal(after[name], look.weights[0][name]) for name in names_below(model, 1, first=1))
    inputs = names_below(model, 0)
    assert all(not torch.equal(after[name], look.weights[4][name]) for name in inputs if "word_embeddings" in name)


def test_frozen_parts_are_without_dropout(tmp_path):
    look, _ = fit(tmp_path, Scripted(FINE, LOW, FINE), tiny_model("xlm-roberta", "classification"), max_epochs=3)
    assert look.modes[3] == [True] * 6
    assert look.modes[4] == look.modes[9] == [False, False, False, True, True, True]


def test_training_stops_where_nothing_is_left_to_train(tmp_path):
    model = tiny_model("xlm-roberta", "classification")
    model.classifier.requires_grad_(False)
    watch = Scripted(FINE, [1, 1, 1, 1, 0.5], FINE)
    _, trainer = fit(tmp_path, watch, model, max_epochs=3)
    assert (watch.frozen, trainer.global_step) == (4, STEPS)

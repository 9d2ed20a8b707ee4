from functools import reduce
from operator import add

import pytest
import torch

from babelscope.metrics.lrds import lrds_of
from babelscope.metrics.pairs import nulls as pair_nulls
from babelscope.metrics.pairs.cosine_sums import squared_norms
from babelscope.metrics.pairs.nulls import Relabelling, all_cosines, rescale
from babelscope.metrics.sads import sads_of
from tests.metrics.cosines import cases, planted, randn, sums_of

CASES = cases()


def cosines_of(x):
    return all_cosines(x, squared_norms(x).sqrt())


def identity(languages, sentences):
    points = torch.arange(languages * sentences).view(1, languages, sentences)
    return Relabelling(points, points.transpose(1, 2))


@pytest.mark.parametrize("case", CASES)
def test_without_a_shuffle_it_is_the_closed_form(case):
    x = CASES[case]
    same, cosines, means = identity(*x.shape[:2]), cosines_of(x), sums_of(x).means
    assert same.lrds(cosines).item() == pytest.approx(lrds_of(means).item(), abs=1e-12)
    assert same.sads(cosines).item() == pytest.approx(sads_of(means).item(), abs=1e-12)


def test_a_shuffle_is_the_closed_form_of_shuffled_points():
    x = randn(3, 5, 8)
    drawn, cosines, points = Relabelling.draw(3, 5, 4, seed=1), cosines_of(x), x.flatten(0, 1)
    lrds = [lrds_of(sums_of(points[some]).means).item() for some in drawn.languages]
    sads = [sads_of(sums_of(points[some].transpose(0, 1)).means).item() for some in drawn.sentences]
    assert drawn.lrds(cosines).tolist() == pytest.approx(lrds, abs=1e-12)
    assert drawn.sads(cosines).tolist() == pytest.approx(sads, abs=1e-12)


def test_languages_are_shuffled_within_sentences_and_sentences_within_languages():
    drawn = Relabelling.draw(3, 5, 50, seed=0)
    place = torch.arange(15).view(3, 5)
    for some in drawn.languages:
        assert torch.equal(some.sort(0).values, place)
    for some in drawn.sentences:
        assert torch.equal(some.sort(0).values, place.T)
    assert len({tuple(some.flatten().tolist()) for some in drawn.languages}) == 50
    again, other = Relabelling.draw(3, 5, 50, seed=0), Relabelling.draw(3, 5, 50, seed=1)
    assert torch.equal(again.sentences, drawn.sentences)
    assert not torch.equal(other.sentences, drawn.sentences)


def test_the_null_has_mean_0_and_what_was_planted_is_far_outside():
    x = planted()[:5, :20]
    drawn, cosines, means = Relabelling.draw(5, 20, 200, seed=0), cosines_of(x), sums_of(x).means
    for null, value in ((drawn.lrds(cosines), lrds_of(means)), (drawn.sads(cosines), sads_of(means))):
        assert abs(null.mean()) < 4 * null.std() / 200**0.5
        assert value > 5 * null.max()


def test_slices_add_up_and_layers_share_one_pass(monkeypatch):
    monkeypatch.setattr(pair_nulls, "COLUMNS", 8)
    x = randn(3, 4, 50)
    x[1, 2] = 0
    x[0, 1, :20] = 0
    layers = x.split([20, 30], dim=2)
    squares = [squared_norms(part) for part in layers]
    whole = reduce(add, squares).sqrt()
    parts = [all_cosines(part, whole) for part in layers]
    own = [all_cosines(part, square.sqrt()) for part, square in zip(layers, squares, strict=True)]
    for part, layer, square in zip(parts, own, squares, strict=True):
        torch.testing.assert_close(rescale(layer, square.sqrt(), whole), part)
    torch.testing.assert_close(reduce(add, parts), cosines_of(x))


def test_too_many_points_and_no_permutation_are_refused():
    with pytest.raises(ValueError, match=r"at most 8192 points.*fewer sentences, or no permutations"):
        all_cosines(torch.ones(2, 5000, 1), torch.ones(2, 5000).double())
    with pytest.raises(ValueError, match="`permutations`"):
        Relabelling.draw(2, 3, 0, seed=0)

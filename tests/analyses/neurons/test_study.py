import math
from functools import partial
from itertools import combinations

import numpy as np
import pytest
import torch
from scipy import stats

from babelscope.analyses.neurons import study as neuron_study
from babelscope.analyses.neurons.study import score_activations, study_neurons
from babelscope.data.corpora import Corpus
from babelscope.metrics.pairs.nulls import Relabelling
from babelscope.models.parts import parts_of
from babelscope.states import DOWN_INPUT, embed, embed_once, pool, prepare
from babelscope.states.embed import Pooled
from babelscope.states.slices import slices
from tests.analyses.neurons.rows import by_key
from tests.metrics.cosines import planted, randn, slow_lrds, slow_means, slow_sads
from tests.models.tiny import tiny_model, tiny_tokenizer

NAMES = ("eng_Latn", "deu_Latn", "ell_Grek", "rus_Cyrl")
WIDTH = 20
SLOW = {"lrds": slow_lrds, "sads": slow_sads}


def pooled_of(x, width=WIDTH):
    """Vectors (K, n, F) as blocks of some neurons each."""
    blocks = {str(i): block.flatten(0, 1).float() for i, block in enumerate(x.split(width, dim=2), 1)}
    return Pooled(blocks, tuple(f"l{k}" for k in range(len(x))), tuple(f"s{i}" for i in range(x.shape[1])))


def keyed(rows):
    found = by_key(rows, "layer", "metric", "language", "other")
    assert all(math.isfinite(value) for value in found.values())
    return found


def layers_of(x, width=WIDTH):
    """What each layer of the rows is of; the model's are all of its neurons."""
    return {"": x, **{str(i): block for i, block in enumerate(x.split(width, dim=2), 1)}}


X = planted()[:4, :7, :60].float().double()
POOLED = pooled_of(X)


@pytest.fixture(scope="module")
def study():
    return study_neurons(POOLED, permutations=4, legacy=True)


def test_rows_equal_pairs_one_by_one(study):
    found = keyed(study.rows)
    for layer, x in layers_of(X).items():
        for metric, slow in SLOW.items():
            values = slow(x)
            assert [found[layer, metric, name, ""] for name in POOLED.languages] == pytest.approx(values, abs=1e-5)
            assert found[layer, metric, "", ""] == pytest.approx(np.mean(values), abs=1e-5)
    different, same = slow_means(X)
    for i, j in combinations(range(4), 2):
        pair = found["", "sads", f"l{i}", f"l{j}"]
        assert pair == pytest.approx(same[i, j] - different[i, j], abs=1e-5)
        assert pair == pytest.approx(found["", "sads", f"l{j}", f"l{i}"], abs=1e-7)
    assert not [key for key in found if key[0] and key[3]]


def test_intervals_leave_out_each_sentence_in_turn(study):
    found, n = keyed(study.rows), X.shape[1]
    for layer, x in layers_of(X).items():
        for metric, slow in SLOW.items():
            without = [np.mean(slow(x[:, [i for i in range(n) if i != s]])) for s in range(n)]
            half = stats.t.ppf(0.975, n - 1) * math.sqrt((n - 1) * np.var(without))
            value = found[layer, metric, "", ""]
            assert found[layer, f"{metric}_low", "", ""] == pytest.approx(value - half, abs=1e-5)
            assert found[layer, f"{metric}_high", "", ""] == pytest.approx(value + half, abs=1e-5)


def test_z_scores_equal_the_double_loop(study):
    v = X.numpy()
    h = v / np.sqrt((v**2).sum(2, keepdims=True))
    scores = np.array([np.mean([a * b for a, b in combinations(language, 2)], axis=0) for language in h])
    z = (scores - scores.mean(0)) / scores.std(0)
    assert list(study.z) == ["1", "2", "3"]
    np.testing.assert_allclose(torch.cat(list(study.z.values()), dim=1), z, rtol=0, atol=1e-3)


def test_what_is_not_asked_for_is_left_out():
    seen = []
    study = study_neurons(POOLED, z=False, permutations=0, progress=lambda layers: seen.append(layers) or layers)
    assert study.z == {}
    assert seen == [["1", "2", "3"]]
    assert not [row for row in study.rows if "null" in row["metric"] or "legacy" in row["metric"]]


def test_layers_in_slices_give_the_same(study, monkeypatch):
    widths = []

    def narrow(*arguments):
        for x in slices(*arguments, elements=28 * 7):
            widths.append(x.shape[1])
            yield x

    monkeypatch.setattr(neuron_study, "slices", narrow)
    cut = study_neurons(POOLED, permutations=4, legacy=True)
    assert widths == [7, 7, 6] * 6
    assert keyed(cut.rows) == pytest.approx(keyed(study.rows), abs=1e-6)
    torch.testing.assert_close(dict(cut.z), dict(study.z), rtol=0, atol=1e-5)


def test_a_store_gives_the_same_as_memory(tmp_path, monkeypatch):
    texts = {name: tuple(f"{name} {'ab' * (i + k + 1)}" for i in range(4)) for k, name in enumerate(NAMES)}
    prepared = prepare(Corpus("toy", tuple("abcd"), texts), tiny_tokenizer())
    parts = parts_of(tiny_model("bloom", depth=2))
    memory = study_neurons(embed(parts, prepared, pool.mean, reading=DOWN_INPUT), permutations=3, legacy=True)
    monkeypatch.setattr(neuron_study, "slices", partial(slices, elements=16 * 50))
    once = embed_once(tmp_path, {}, parts, prepared, pool.mean, reading=DOWN_INPUT)
    stored = study_neurons(once, permutations=3, legacy=True)
    assert keyed(stored.rows) == pytest.approx(keyed(memory.rows), abs=1e-6)
    torch.testing.assert_close(dict(stored.z), dict(memory.z), rtol=0, atol=1e-4)


def test_chance_equals_points_measured_under_other_labels(study):
    found = keyed(study.rows)
    relabelling = Relabelling.draw(*X.shape[:2], 4, seed=0)
    for layer, x in layers_of(X).items():
        points = x.flatten(0, 1)
        nulls = {
            "lrds": [np.mean(slow_lrds(points[index])) for index in relabelling.languages],
            "sads": [np.mean(slow_sads(points[index.T])) for index in relabelling.sentences],
        }
        for metric, values in nulls.items():
            assert found[layer, f"{metric}_null_low", "", ""] == pytest.approx(min(values), abs=1e-5)
            assert found[layer, f"{metric}_null_high", "", ""] == pytest.approx(max(values), abs=1e-5)


@pytest.mark.parametrize("structure", [True, False])
def test_relabelling_tells_structure_from_none(structure):
    x = planted()[:5, :30, :100] if structure else randn(5, 30, 100)
    found = keyed(study_neurons(pooled_of(x, 50), z=False, permutations=60).rows)
    for layer in ("", "1", "2"):
        for metric in SLOW:
            low, high = (found[layer, f"{metric}_null_{end}", "", ""] for end in ("low", "high"))
            assert low < 0 < high
            assert (low <= found[layer, metric, "", ""] <= high) != structure


def test_golden_values():  # science F6
    studies = [
        study_neurons(pooled_of(planted(seed=10 * i), 200), z=False, permutations=0, legacy=True) for i in (0, 1)
    ]
    ours, released = (
        np.mean([keyed(study.rows)["", metric, "", ""] for study in studies]) for metric in ("sads", "sads_legacy")
    )
    assert ours == pytest.approx(0.179, abs=0.01)
    assert released == pytest.approx(-0.003, abs=0.001)


def test_more_points_than_chance_needs(study, monkeypatch):
    monkeypatch.setattr(neuron_study, "POINTS", 4 * 5 + 3)
    found = keyed(study_neurons(POOLED, permutations=4, legacy=True).rows)
    first = keyed(study_neurons(pooled_of(X[:, :5]), permutations=4).rows)
    null = {key for key in found if "null" in key[1]}
    assert len(null) == 4 * 4
    for key in found:
        assert found[key] == pytest.approx(first[key] if key in null else keyed(study.rows)[key], abs=1e-6)
    monkeypatch.setattr(neuron_study, "POINTS", 1)
    assert keyed(study_neurons(POOLED, permutations=4).rows)


def test_sentences_of_which_nothing_is_active():
    x = X.clone()
    x[0, 1] = x[2, 3, :20] = x[:, :, 40:] = 0
    study = study_neurons(pooled_of(x), permutations=2, legacy=True)
    found = keyed(study.rows)
    for layer, part in layers_of(x).items():
        assert found[layer, "sads", "", ""] == pytest.approx(np.mean(slow_sads(part)), abs=1e-5)
    assert not study.z["3"].any()


def test_the_seed_changes_the_relabellings_only():
    first, other = (keyed(study_neurons(POOLED, permutations=4, seed=seed).rows) for seed in (0, 1))
    assert first == keyed(study_neurons(POOLED, permutations=4).rows)
    assert {key[1] for key in first if first[key] != other[key]} == {
        f"{metric}_null_{end}" for metric in SLOW for end in ("low", "high")
    }


@pytest.mark.parametrize(
    ("x", "options", "message"),
    [
        (X[:1], {}, "at least 2 languages"),
        (X[:, :1], {}, "2 sentences"),
        (X[:, :2], {}, "at least 3 sentences"),
        (X, {"permutations": -1}, "`permutations` to be at least 1, but got -1"),
    ],
)
def test_errors(x, options, message):
    with pytest.raises(ValueError, match=message) as caught:
        study_neurons(pooled_of(x), **options)
    assert "\n" not in str(caught.value)


def test_key_neurons_over_time(study):
    rows, masks = score_activations(POOLED, None, threshold=1.6, reading="gate")
    start = keyed(rows)
    assert {key[1] for key in start} >= {"gate/lrds", "gate/sads_high", "gate/z_neurons", "gate/z_overlap"}
    assert not [key for key in start if "kept" in key[1]]
    for k, name in enumerate(POOLED.languages):
        expected = torch.stack([z[k] > 1.6 for z in study.z.values()])
        assert masks[name].any()
        assert torch.equal(masks[name], expected)
        assert start["", "gate/z_neurons", name, ""] == int(expected.sum())
    rows, again = score_activations(POOLED, masks, threshold=1.6, reading="gate")
    kept = keyed(rows)
    assert start.items() <= kept.items()
    assert [kept["", "gate/z_kept", name, ""] for name in (*POOLED.languages, "")] == [1] * 5
    assert all(torch.equal(again[name], masks[name]) for name in masks)


def test_key_neurons_that_went():
    _, start = score_activations(POOLED, None, threshold=1.6)
    rows, now = score_activations(pooled_of(X + 0.5 * randn(*X.shape, seed=5)), start, threshold=1.6)
    kept = keyed(rows)
    for name in POOLED.languages:
        share = int((start[name] & now[name]).sum()) / int((start[name] | now[name]).sum())
        assert 0 < share < 1
        assert kept["", "down_input/z_kept", name, ""] == pytest.approx(share)


def test_a_threshold_that_nothing_exceeds_is_an_error():
    with pytest.raises(ValueError, match=r"`threshold` to be below 1\.732"):
        score_activations(POOLED, None)


def test_chance_is_the_same_scores_of_shuffled_languages():
    study = study_neurons(POOLED, permutations=1, seed=3)
    order = torch.rand(4, len(POOLED.ids), generator=torch.Generator().manual_seed(3)).argsort(0)
    moved = torch.gather(X, 0, order[:, :, None].expand_as(X))
    expected = study_neurons(pooled_of(moved), permutations=0).z
    assert set(study.chance) == set(expected)
    for layer, scores in expected.items():
        torch.testing.assert_close(study.chance[layer], scores)
    assert not study_neurons(POOLED, permutations=0).chance
    assert not study_neurons(POOLED, z=False).chance

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score

from babelscope.analyses.tokens.script_probe import _half_interval, script_probe
from babelscope.analyses.tokens.token_rows import token_rows


def plant(offset, sizes=(120, 80, 60), width=24, seed=0):
    g = torch.Generator().manual_seed(seed)
    code = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))
    code = code[torch.randperm(len(code), generator=g)]
    x = torch.randn(len(code), width, generator=g) + offset * torch.randn(len(sizes), width, generator=g)[code]
    return token_rows(x, [("Latn", "Cyrl", "Arab")[i] for i in code])


def values(rows):
    return {(row["metric"], row["language"]): row["value"] for row in rows}


def test_separated_scripts_are_told_apart_and_random_ones_are_not():
    apart = values(script_probe(plant(3.0), minimum=50, draws=2))
    mixed = values(script_probe(plant(0.0), minimum=50, draws=2))
    assert apart["script_probe", ""] == 1
    assert apart["script_multiclass", ""] == 1
    assert mixed["script_probe", ""] == pytest.approx(0.5, abs=0.12)
    assert mixed["script_multiclass", ""] == pytest.approx(1 / 3, abs=0.12)
    for name in ("random", "shuffled"):
        assert apart[f"script_probe_{name}", ""] == pytest.approx(0.5, abs=0.12)
        assert apart[f"script_multiclass_{name}", ""] == pytest.approx(1 / 3, abs=0.12)
    assert apart["script_probe_tokens", "Latn"] == 120


def test_equals_scikit_learns_cross_validation_with_the_same_draw():
    tokens = plant(0.4)
    found = values(script_probe(tokens, minimum=70, draws=1, limit=None, seed=3))
    codes = tokens.codes
    for code, name in enumerate(tokens.scripts[:2]):
        g = torch.Generator().manual_seed(3)
        sides = [tokens.ids[codes == code], tokens.ids[codes != code]]
        size = min(map(len, sides))
        ids = torch.cat([side[torch.randperm(len(side), generator=g)[:size]].sort().values for side in sides])
        x, y = tokens.unit(ids).numpy(), np.repeat([1, 0], size)
        expected = cross_val_score(LogisticRegression(), x, y, cv=10).mean()
        assert found["script_probe", name] == pytest.approx(expected, abs=1e-9)


def test_small_scripts_are_skipped_and_intervals_hold_the_mean():
    found = values(script_probe(plant(0.4), minimum=70, draws=3, limit=40))
    assert ("script_probe", "Arab") not in found
    assert found["script_probe_tokens", "Latn"] == 40
    assert found["script_probe_low", "Latn"] <= found["script_probe", "Latn"] <= found["script_probe_high", "Latn"]


@pytest.mark.parametrize("values", [[0.5, 0.75], [0.9, 0.8, 0.85, 0.7, 0.95]])
def test_an_interval_is_students(values):
    low, high = stats.t.interval(0.95, len(values) - 1, loc=0, scale=stats.sem(values))
    assert (-_half_interval(values), _half_interval(values)) == pytest.approx((low, high))


def test_intervals_of_accuracies_are_accuracies():
    rows = values(script_probe(plant(0.4, sizes=(12, 12, 12)), minimum=10, draws=2, limit=10))
    low = [value for (metric, _), value in rows.items() if metric == "script_probe_low"]
    high = [value for (metric, _), value in rows.items() if metric == "script_probe_high"]
    assert min(low) == 0
    assert max(high) == 1


def test_common_width():
    found = values(script_probe(plant(3.0), minimum=50, draws=1, width=4))
    assert found["script_probe/pca4", ""] > 0.97
    assert ("script_probe_low/pca4", "Latn") not in found
    whole = values(script_probe(plant(0.4), minimum=50, draws=1, width=24))
    assert whole["script_probe/pca24", ""] == pytest.approx(values(script_probe(plant(0.4), minimum=50, draws=1))
                                                            ["script_probe", ""], abs=0.02)  # fmt: skip


def test_what_cannot_be_probed_is_refused():
    with pytest.raises(ValueError, match="two scripts with 500 tokens"):
        script_probe(plant(1.0))
    with pytest.raises(ValueError, match="argument `width`"):
        script_probe(plant(1.0), minimum=50, width=25)
    with pytest.raises(ValueError, match="`folds`"):
        script_probe(plant(1.0), minimum=5)

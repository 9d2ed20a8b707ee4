import weakref
from dataclasses import replace
from functools import partial

import pytest
import torch

from babelscope.metrics import (
    LayerSample,
    cka,
    drift,
    ilo,
    isotropy,
    knn_lid,
    language_subspace,
    mexa,
    mutual_knn,
    retrieval,
    score,
    separability,
    together,
)
from tests.metrics.planted import plant

SAMPLE = LayerSample(torch.eye(4), torch.tensor([0, 0, 1, 1]), torch.tensor([0, 1, 0, 1]), ("eng_Latn", "jpn_Jpan"))


def scopes(sample, scale=1.0):
    return {
        "layerwise": torch.tensor(scale),
        "each": scale * torch.tensor([1.0, 3.0]),
        "pairs": torch.tensor([[1.0, 2.0], [3.0, 4.0]]),
    }


def test_rank_becomes_columns_and_means_follow():
    rows = list(score([("0", SAMPLE)], {"scopes": scopes}, step=3))
    assert rows[0] == {"step": 3, "layer": "0", "metric": "layerwise", "language": "", "other": "", "value": 1.0}
    found = {(r["metric"], r["language"], r["other"]): r["value"] for r in rows}
    assert len(rows) == len(found) == 1 + 3 + 4
    assert found["each", "jpn_Jpan", ""] == 3
    assert found["each", "", ""] == 2
    assert found["pairs", "eng_Latn", "jpn_Jpan"] == 2


def test_a_metric_under_another_name_gets_its_own_columns():
    metrics = {"scopes": scopes, "double": partial(scopes, scale=2.0)}
    names = {row["metric"] for row in score([("0", SAMPLE)], metrics)}
    assert {"each", "double/each"} <= names


def test_clashing_columns_are_refused():
    class Nameless:
        def __call__(self, sample):
            return {"each": torch.ones(2)}

    with pytest.raises(ValueError, match="both write 'each'"):
        list(score([("0", SAMPLE)], {"scopes": scopes, "other": Nameless()}))
    with pytest.raises(ValueError, match="layer"):
        list(score([], {}, layer="0"))


def test_all_metrics_go_together():
    metrics = (ilo, separability, knn_lid, mexa, retrieval, cka, mutual_knn, drift, isotropy)
    chosen = {metric.__name__: metric for metric in metrics}
    chosen["language_subspace"] = partial(language_subspace, probe=True)
    sample = plant(4, 12, 6, names=("eng_Latn", "b", "c", "d"))
    rows = list(score([("0", replace(sample, start=sample.x))], chosen))
    columns = {row["metric"] for row in rows}
    assert not [column for column in columns if "/" in column]
    assert {"mexa", "retrieval", "csls", "cka", "mutual_knn", "drift_knn", "retrieval_removed", "isoscore"} <= columns


def test_an_error_names_layer_and_metric():
    with pytest.raises(ValueError, match=r"Metric 'ilo', layer '7': .*`k`") as caught:
        list(score([("7", SAMPLE)], {"ilo": ilo}))
    assert caught.value.__cause__ is not None

    def broken(sample):
        raise KeyError("x")

    with pytest.raises(RuntimeError, match="Metric 'broken', layer '7': KeyError"):
        list(score([("7", SAMPLE)], {"broken": broken}))


@pytest.mark.parametrize("result", [torch.ones(3), torch.ones(2, 2, 2), torch.tensor(float("nan")), torch.tensor(1j)])
def test_results_without_scope_or_value_are_refused(result):
    with pytest.raises(ValueError, match="Expected result 'odd' of layer '0'"):
        list(score([("0", SAMPLE)], {"<lambda>": lambda sample: {"odd": result}}))


@pytest.mark.parametrize(
    ("result", "kind"),
    [(0.5, "float"), ({"odd": 0.5}, "float in it"), (None, "NoneType"), ({1: SAMPLE.x[0, 0]}, "int in it")],
)
def test_results_that_are_no_tensors_by_name_are_refused(result, kind):
    with pytest.raises(ValueError, match=f"Metric 'odd', layer '0': .* dict of tensors by column, but got {kind};"):
        list(score([("0", SAMPLE)], {"odd": lambda sample: result}))


def test_columns_are_told_with_the_metric_that_wrote_them():
    wrote: dict[str, str] = {}
    rows = list(
        score([("0", SAMPLE), ("1", SAMPLE)], {"scopes": scopes, "ilo": partial(ilo, k=2, threshold=1)}, wrote=wrote)
    )
    assert list(wrote) == list(dict.fromkeys(row["metric"] for row in rows))
    assert {wrote[name] for name in ("ilo", "bridge")} == {"ilo"}
    assert wrote[rows[0]["metric"]] == "scopes"


@pytest.mark.parametrize(("numbers", "before_the_first"), [(SAMPLE.x.numel(), "0"), (2**20, "012")])
def test_layers_are_drawn_as_they_are_measured(numbers, before_the_first, monkeypatch):
    monkeypatch.setattr(together, "MAX_NUMBERS", numbers)
    drawn = []

    def layers():
        for name in "012":
            drawn.append(name)
            yield name, SAMPLE

    next(score(layers(), {"scopes": scopes}))
    assert "".join(drawn) == before_the_first


def test_of_large_layers_only_the_measured_one_is_held(monkeypatch):
    monkeypatch.setattr(together, "MAX_NUMBERS", 1)
    held = []

    def layers():
        for name in "0123":
            yield name, (sample := replace(SAMPLE))
            held.append(weakref.ref(sample))
            del sample

    def alive(sample):
        others = [other() for other in held if other() is not None and other() is not sample]
        return {"alive": torch.tensor(float(len(others)))}

    assert [row["value"] for row in score(layers(), {"alive": alive})] == [0, 0, 0, 0]


def test_layers_measured_together_give_the_rows_of_each_alone(monkeypatch):
    layers = [(str(seed), plant(4, 12, 6, offset=0.3, noise=0.6, seed=seed)) for seed in range(3)]
    metrics = {"separability": partial(separability, folds=3), "ilo": ilo}
    found = list(score(layers, metrics))
    monkeypatch.setattr(together, "MAX_NUMBERS", 1)
    alone = list(score(layers, metrics))
    assert [{**row, "value": 0} for row in found] == [{**row, "value": 0} for row in alone]
    for a, b in zip(found, alone, strict=True):
        assert a["value"] == pytest.approx(b["value"], abs=1.5 / 12)


def test_an_error_of_layers_measured_together_names_the_one_at_fault():
    """The probes of a layer whose states are all the same need no steps."""
    layer = plant(3, 20, 4, offset=0.5, noise=0.6)
    layers = [("0", replace(layer, x=torch.ones_like(layer.x))), ("1", layer)]
    with pytest.raises(ValueError, match=r"Metric 'separability', layer '1': .*`max_iter`"):
        list(score(layers, {"separability": partial(separability, max_iter=1)}))

"""Every metric where its sample is: on a GPU all that it makes has to be there, too."""

from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import pytest
import torch

from babelscope import metrics
from babelscope.metrics import LayerSample, neighbours
from babelscope.metrics.drift import drift
from babelscope.metrics.neighbours import find_neighbours
from babelscope.metrics.probes.logistic import fit_together
from babelscope.metrics.score import score
from babelscope.states.embed import Pooled, measuring_device
from tests.metrics.elsewhere import GPU, Elsewhere, pretended
from tests.metrics.planted import plant

NAMES = ("eng_Latn", "rus_Cyrl", "fra_Latn", "hin_Deva", "deu_Latn")
OPTIONS = {"script_separability": {"minimum": 20}, "language_subspace": {"probe": True}}


def sample(sentences=40, width=16):
    made = plant(5, sentences, width, offset=0.3, noise=0.6, names=NAMES)
    start = made.x + 0.1 * torch.randn(made.x.shape, generator=torch.Generator().manual_seed(1))
    return LayerSample(made.x, made.language, made.sentence, made.languages, start)


@pytest.mark.parametrize(
    "name",
    [
        *("cka", "drift", "ilo", "isotropy", "knn_lid", "language_subspace", "lrds", "mexa", "mutual_knn"),
        *("retrieval", "sads", "script_separability", "separability"),
    ],
)
def test_a_metric_stays_where_its_sample_is(name, monkeypatch):
    here = sample()
    metric = partial(drift if name == "drift" else getattr(metrics, name), **OPTIONS.get(name, {}))
    expected = list(score([("3", here)], {name: metric}))
    with pretended(monkeypatch):
        there = here.to(GPU)
        assert there.x.is_cuda
        found = list(score([("3", there)], {name: metric}))
    assert [{**row, "value": None} for row in found] == [{**row, "value": None} for row in expected]
    for a, b in zip(found, expected, strict=True):
        assert a["value"] == pytest.approx(b["value"], abs=0.06 if "separability" in a["metric"] else 1e-6)


@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
@pytest.mark.parametrize("case", ["random", "crowded", "copies", "no direction", "all equal"])
def test_neighbours_are_found_where_the_points_are(case, distance, monkeypatch):
    monkeypatch.setattr(neighbours, "MAX_BRUTE_FORCE_POINTS", 0)
    g = torch.Generator().manual_seed(0)
    x = torch.randn(900, 24, generator=g)
    if case == "crowded":
        x = 1e-3 * x + torch.randn(3, 24, generator=g)[torch.arange(900) % 3]
    if case == "copies":
        x = x[torch.arange(900) % 5]
    if case == "no direction":
        x[::7] = 0
    if case == "all equal":
        x = x[:1].expand(900, -1).contiguous()
    for kin in (None, torch.arange(900) % 300):
        expected = find_neighbours(x, 5, distance=distance, kin=kin)
        with pretended(monkeypatch):
            there = None if kin is None else kin.to(GPU)
            found = find_neighbours(x.to(GPU), 5, distance=distance, kin=there, block=256)
            assert found.indices.is_cuda
            assert found.distances.is_cuda
        assert torch.equal(found.indices.here, expected.indices)
        assert torch.equal(found.distances.here, expected.distances)


def test_mixed_devices_are_an_error_here_as_there(monkeypatch):
    with pretended(monkeypatch):
        x = torch.zeros(4, 3, device=GPU)
        assert type(x) is Elsewhere
        for mixed in (
            lambda: x + torch.ones(3),
            lambda: torch.ones(4)[torch.arange(4, device=GPU)],
            lambda: torch.cat([x, torch.ones(4, 3)]),
            lambda: x.index_add_(0, torch.arange(4), x),
            lambda: torch.randn(4, device=GPU, generator=torch.Generator()),
        ):
            with pytest.raises(RuntimeError, match=r"device|generator|on the cpu"):
                mixed()
        with pytest.raises(TypeError, match="numpy"):
            x.numpy()
        assert fit_together([x + 1], [torch.arange(4, device=GPU).unsqueeze(0) % 2], 2)[0].is_cuda
        x[2] = torch.nan
        with pytest.raises(ValueError, match="finite, but row 2"):
            fit_together([x], [torch.arange(4, device=GPU).unsqueeze(0) % 2], 2)


def test_what_does_not_fit_on_the_gpu_is_measured_on_the_host(monkeypatch, caplog):
    def large(given):
        if given.x.is_cuda:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return {"large": given.x.sum().double()}

    here = sample()
    with pretended(monkeypatch):
        (row,) = score([("0", here.to(GPU))], {"large": large})
    assert row["value"] == float(here.x.sum())
    assert "Metric 'large', layer '0': not enough memory on the GPU" in caplog.text


def test_states_are_measured_where_their_model_was(monkeypatch):
    pooled = Pooled({"0": torch.randn(4, 3)}, ("eng_Latn", "deu_Latn"), ("a", "b"))
    with pretended(monkeypatch):
        ((_, there),) = replace(pooled, device=torch.device(GPU)).samples(pooled)
        assert all(x.is_cuda for x in (there.x, there.language, there.sentence, there.start))
    ((_, here),) = pooled.samples()
    assert here.x.device.type == "cpu"


@pytest.mark.parametrize(("model", "expected"), [("cuda:1", "cuda:1"), ("cpu", "cpu"), ("mps", "cpu"), ("meta", "cpu")])
def test_only_a_cuda_gpu_measures_itself(model, expected):
    parts = SimpleNamespace(device=torch.device(model))
    assert measuring_device(parts) == torch.device(expected)

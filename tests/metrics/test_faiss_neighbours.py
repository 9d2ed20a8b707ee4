import builtins

import pytest
import torch

from babelscope.metrics import faiss_neighbours as module
from babelscope.metrics import ilo, nearest_neighbours
from babelscope.metrics.faiss_neighbours import faiss_neighbours
from tests.metrics.planted import plant
from tests.metrics.test_neighbours import CASES, KIN


@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
@pytest.mark.parametrize("case", CASES)
def test_equals_torch_to_the_bit(case, distance):
    pytest.importorskip("faiss")
    x = CASES[case]
    for k in (1, 5, len(x) - 1):
        expected = nearest_neighbours(x, k, distance=distance)
        found = faiss_neighbours(x, k, distance=distance, block=128)
        assert torch.equal(found[0], expected[0])
        assert torch.equal(found[1], expected[1])


@pytest.mark.parametrize("kin", KIN)
def test_kin_are_left_out_as_there(kin):
    pytest.importorskip("faiss")
    for x in CASES.values():
        expected = nearest_neighbours(x, 5, kin=KIN[kin])
        found = faiss_neighbours(x, 5, kin=KIN[kin], block=128)
        assert torch.equal(found[0], expected[0])
        assert torch.equal(found[1], expected[1])


def test_ilo_takes_it_as_its_search():
    pytest.importorskip("faiss")
    sample = plant(4, 20, 16, offset=0.5, noise=0.5)
    assert torch.equal(ilo(sample, search=faiss_neighbours)["ilo"], ilo(sample)["ilo"])


@pytest.mark.parametrize("error", [ImportError("No module named 'faiss'"), RuntimeError("libcublas missing\nsecond")])
def test_a_missing_or_broken_wheel_is_one_line(monkeypatch, error):
    real = builtins.__import__

    def fail(name, *args, **kwargs):
        if name == "faiss":
            raise error
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", fail)
    with pytest.raises(ValueError, match=r"babelscope\[faiss\]") as caught:
        faiss_neighbours(torch.eye(5), 2)
    assert "\n" not in str(caught.value)


def test_both_wheels_are_refused(monkeypatch):
    monkeypatch.setattr(module, "version", lambda wheel: "1.15")
    with pytest.raises(ValueError, match="uninstall both"):
        faiss_neighbours(torch.eye(5), 2)

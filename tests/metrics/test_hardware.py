import pytest
import torch

from babelscope.metrics import hardware, neighbours
from babelscope.metrics.hardware import _gains_by_onednn, product_type
from babelscope.metrics.precision import full_precision, product

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.mark.parametrize(
    ("has", "expected"),
    [
        ({"cpu_name": "AMD EPYC", "avx512_f": True, "avx512_bf16": True, "amx_bf16": False}, torch.bfloat16),
        ({"cpu_name": "Intel Xeon", "avx512_f": True, "avx512_bf16": True, "amx_bf16": False}, torch.float32),
        ({"cpu_name": "Intel Xeon", "avx512_f": True, "avx512_bf16": True, "amx_bf16": True}, torch.bfloat16),
        ({"avx512_f": True, "avx512_bf16": False, "amx_bf16": True}, torch.bfloat16),
        ({"avx512_f": True, "avx512_bf16": False, "amx_bf16": False}, torch.float32),
        ({}, torch.float32),
    ],
)
def test_a_processor_is_asked_for_its_instructions(monkeypatch, has, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: has)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    assert product_type(CPU) == expected
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert product_type(CPU) == torch.float32  # without oneDNN nothing uses them


@pytest.mark.parametrize(("capability", "expected"), [((9, 0), torch.bfloat16), ((7, 5), torch.float32)])
def test_a_gpu_is_asked_for_its_generation(monkeypatch, capability, expected):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert product_type(CUDA) == expected


def test_other_devices_take_float32():
    assert product_type(torch.device("mps")) == torch.float32


def test_the_search_multiplies_as_chosen(monkeypatch):
    monkeypatch.setattr(neighbours, "MAX_BRUTE_FORCE_POINTS", 0)
    x = torch.randn(200, 16, generator=torch.Generator().manual_seed(0))
    for name in ("bfloat16", "float32"):
        monkeypatch.setattr(neighbours, "product_type", lambda device, name=name: getattr(torch, name))
        assert list(neighbours.find_neighbours(x, 3).certified) == [name]


@pytest.mark.parametrize(
    ("has", "expected"),
    [
        ({"cpu_name": "AMD EPYC", "avx512_f": True, "avx512_bf16": True}, {torch.float32, torch.bfloat16}),
        ({"cpu_name": "AMD EPYC", "avx512_f": True}, {torch.float32}),
        ({"cpu_name": "Intel Xeon", "avx512_f": True, "amx_bf16": True}, {torch.bfloat16}),
        ({"cpu_name": "AMD EPYC"}, set()),
        ({}, set()),
    ],
)
def test_onednn_is_preferred_where_it_is_faster(monkeypatch, has, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: has)
    monkeypatch.setattr(torch.backends.mkl, "is_available", lambda: True)
    if not (torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")):
        pytest.skip("no oneDNN")
    asked = (torch.float32, torch.bfloat16, torch.float16, torch.float64)
    assert {dtype for dtype in asked if _gains_by_onednn.__wrapped__(dtype)} == expected


@pytest.mark.parametrize("prefers", [True, False])
def test_a_product_is_float64s_up_to_rounding(monkeypatch, prefers):
    if prefers and not hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        pytest.skip("no oneDNN")
    monkeypatch.setattr("babelscope.metrics.precision.prefers_onednn", lambda dtype: prefers)
    g = torch.Generator().manual_seed(0)
    left, right = torch.randn(7, 300, generator=g), torch.randn(33, 300, generator=g)
    with full_precision(CPU):
        found = product(left, right)
    torch.testing.assert_close(found.double(), left.double() @ right.double().T, rtol=1e-5, atol=1e-4)


def test_many_small_products_take_one_thread_and_give_the_others_back():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        for size, threads in ((hardware.SMALL, 1), (hardware.SMALL + 1, 2)):
            with hardware.threads_for(size):
                assert torch.get_num_threads() == threads
            assert torch.get_num_threads() == 2
        with pytest.raises(KeyError), hardware.threads_for(1):
            raise KeyError
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)

"""On a processor without the faster routine these compare a thing with itself, so a test lets every one have it."""

import pytest
import torch
from torch import nn

from babelscope.models.parts import parts_of
from babelscope.states import embed, linear, pool, prepare
from babelscope.states.linear import fast_linear
from tests.models.tiny import tiny_model, tiny_tokenizer

HAS = hasattr(torch.ops.mkldnn, "_linear_pointwise") and torch.backends.mkldnn.is_available()
CLOSE = {torch.float32: 1e-5, torch.bfloat16: 1e-2}


@pytest.fixture(params=[torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
def dtype(request, monkeypatch):
    if not HAS:
        pytest.skip("no oneDNN")
    if request.param == torch.bfloat16 and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        pytest.skip("no bfloat16")
    monkeypatch.setattr(linear, "prefers_onednn", lambda dtype: dtype == request.param)
    return request.param


@pytest.fixture
def calls(monkeypatch):
    made = []
    routine = linear._suits
    monkeypatch.setattr(linear, "_suits", lambda *args: made.append(routine(*args)) or made[-1])
    return made


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(7,), (3, 5), (2, 1), (1, 2, 3)])
def test_equal_to_torchs_own(dtype, calls, shape, bias):
    layer = nn.Linear(48, 80, bias=bias).to(dtype)
    x = torch.randn(*shape, 48).to(dtype)
    with torch.no_grad():
        expected = layer(x)
        with fast_linear(layer):
            found = [layer(x), layer(x)]
    assert calls == [True, True]
    for each in found:
        assert each.dtype == dtype
        torch.testing.assert_close(each, expected, rtol=CLOSE[dtype], atol=CLOSE[dtype])


def test_what_does_not_suit_is_left_to_torch(dtype, calls):
    layer = nn.Linear(48, 80).to(dtype)
    x = torch.randn(4, 48).to(dtype)
    with fast_linear(layer):
        layer(x).sum().backward()
        with torch.no_grad():
            wide = nn.functional.linear(torch.randn(4, 96).to(dtype)[:, ::2], layer.weight, layer.bias)
            empty, one = layer(x[:0]), layer(x[0])
            with torch.autocast("cpu", dtype=torch.bfloat16):
                mixed = layer(x)
    assert layer.weight.grad is not None
    assert (wide.shape, empty.shape, one.shape, mixed.dtype) == ((4, 80), (0, 80), (80,), torch.bfloat16)
    assert not any(calls)


def test_nothing_is_packed_of_a_model_that_is_too_large(dtype, monkeypatch):
    monkeypatch.setattr(linear, "MAX_PACKED_BYTES", 48 * 80)
    layer, x = nn.Linear(48, 80).to(dtype), torch.randn(4, 48).to(dtype)
    monkeypatch.setattr(torch.ops.mkldnn, "_reorder_linear_weight", lambda *args: pytest.fail("packed"))
    with torch.no_grad(), fast_linear(layer):
        layer(x)


def test_states_are_those_without_it(dtype, corpus, monkeypatch):
    parts, prepared = parts_of(tiny_model("llama").to(dtype)), prepare(corpus, tiny_tokenizer())
    fast = embed(parts, prepared, pool.mean).layers
    monkeypatch.setattr(linear, "prefers_onednn", lambda dtype: False)
    plain = embed(parts, prepared, pool.mean).layers
    close = 1e-5 if dtype == torch.float32 else 0.05
    torch.testing.assert_close(dict(fast), dict(plain), rtol=close, atol=close)

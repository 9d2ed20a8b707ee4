"""Attention as plain products against torch's own in float64, on every processor, whichever of the two it prefers."""

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from babelscope.models.parts import parts_of
from babelscope.states import attention, embed, pool, prepare
from babelscope.states.attention import attend, fast_attention
from tests.models.tiny import tiny_model, tiny_tokenizer

BF16 = torch.bfloat16


@pytest.fixture(autouse=True)
def preferred(monkeypatch):
    monkeypatch.setattr(attention, "prefers_plain_attention", lambda dtype: dtype == BF16)


@pytest.fixture
def calls(monkeypatch):
    made = []
    routine = attention._suits
    monkeypatch.setattr(attention, "_suits", lambda *args, **kwargs: made.append(routine(*args, **kwargs)) or made[-1])
    return made


def draw(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape))).to(BF16)


def masks(batch, heads, queries, keys):
    """Every kind that a model gives: none, by text, by position, by head, to be added."""
    yield None
    seen = torch.rand(batch, 1, 1, keys, generator=torch.Generator().manual_seed(1)) > 0.3
    seen[..., 0] = True
    yield seen
    yield seen.expand(batch, 1, queries, keys)
    yield seen & torch.ones(queries, keys, dtype=torch.bool).tril()
    yield draw(1, heads, queries, keys) * 3
    yield draw(1, heads, queries, keys).float().masked_fill(~seen, torch.finfo(torch.float32).min)
    yield torch.zeros(queries, keys).masked_fill(torch.ones(queries, keys, dtype=torch.bool).triu(1), -torch.inf)


@pytest.mark.parametrize("scale", [None, 1.0])
@pytest.mark.parametrize(("queries", "keys"), [(8, 8), (31, 31), (57, 57), (5, 40), (200, 100), (400, 400)])
def test_equal_to_torchs_own(queries, keys, scale):
    q, k, v = draw(3, 4, queries, 16), draw(3, 4, keys, 16), draw(3, 4, keys, 24)
    for mask in masks(3, 4, queries, keys):
        exact = mask if mask is None or mask.dtype == torch.bool else mask.double()
        expected = scaled_dot_product_attention(q.double(), k.double(), v.double(), attn_mask=exact, scale=scale)
        found = attend(q, k, v, mask, scale=scale)
        assert (found.dtype, found.shape) == (BF16, expected.shape)
        assert float((found.double() - expected).norm() / expected.norm()) < 0.004
    if queries == keys:
        expected = scaled_dot_product_attention(q.double(), k.double(), v.double(), is_causal=True, scale=scale)
        found = attend(q, k, v, scale=scale, causal=True).double()
        assert float((found - expected).norm() / expected.norm()) < 0.004


def test_heads_may_be_views_of_one_table(calls):
    q, k, v = (draw(2, 20, 4, 8).transpose(1, 2) for _ in range(3))
    with torch.no_grad(), fast_attention(torch.nn.Linear(2, 2, dtype=BF16)):
        found = scaled_dot_product_attention(q, k, v, is_causal=True)
    torch.testing.assert_close(found, attend(*(x.contiguous() for x in (q, k, v)), causal=True), rtol=0, atol=0)
    assert calls == [True]


def test_a_token_that_may_look_at_none_is_a_number():
    q, k, v = draw(1, 1, 20, 8), draw(1, 1, 20, 8), draw(1, 1, 20, 8)
    seen = torch.ones(1, 1, 20, 20, dtype=torch.bool)
    seen[:, :, 3] = False
    added = torch.zeros(1, 1, 20, 20, dtype=BF16).masked_fill(seen.logical_not(), -torch.inf)
    all_seen, others = attend(q, k, v), [token for token in range(20) if token != 3]
    for mask in (seen, added):
        found = attend(q, k, v, mask)
        assert found.isfinite().all()
        torch.testing.assert_close(found[:, :, others], all_seen[:, :, others], rtol=0, atol=0)


def test_what_does_not_suit_is_left_to_torch(calls):
    q, k, v = draw(2, 4, 20, 8), draw(2, 4, 20, 8), draw(2, 4, 20, 8)
    with fast_attention(torch.nn.Linear(2, 2, dtype=BF16)):
        leaf = q.clone().requires_grad_()
        scaled_dot_product_attention(leaf, k, v).sum().backward()
        with torch.no_grad():
            scaled_dot_product_attention(q.float(), k.float(), v.float())
            scaled_dot_product_attention(q, k, v, dropout_p=0.5)
            scaled_dot_product_attention(q[:, :, :7], k[:, :, :7], v[:, :, :7])
            scaled_dot_product_attention(q[0], k[0], v[0])
            assert scaled_dot_product_attention(q[:0], k[:0], v[:0]).shape == (0, 4, 20, 8)
            scaled_dot_product_attention(q, k[:, :2], v[:, :2], enable_gqa=True)
            with torch.autocast("cpu", dtype=BF16):
                scaled_dot_product_attention(q, k, v)
    assert leaf.grad is not None
    assert len(calls) == 8
    assert not any(calls)


def test_a_model_in_float32_is_left_to_torch(calls):
    with torch.no_grad(), fast_attention(torch.nn.Linear(2, 2)):
        scaled_dot_product_attention(draw(1, 1, 20, 8), draw(1, 1, 20, 8), draw(1, 1, 20, 8))
    assert calls == []


@pytest.mark.parametrize("family", ["xlm-roberta", "llama", "mt5", "gpt2"])
def test_states_are_as_near_to_float32_as_without_it(family, corpus, calls, monkeypatch):
    prepared, model = prepare(corpus, tiny_tokenizer()), tiny_model(family)
    exact = embed(parts_of(model), prepared, pool.mean).layers
    parts = parts_of(model.to(BF16))
    fast = embed(parts, prepared, pool.mean).layers
    assert any(calls)
    monkeypatch.setattr(attention, "prefers_plain_attention", lambda dtype: False)
    plain = embed(parts, prepared, pool.mean).layers
    for layer, x in exact.items():
        assert not layer or distance(fast[layer], x) < 1.3 * distance(plain[layer], x) + 1e-3


def distance(found, expected):
    return float((found - expected).norm() / expected.norm())

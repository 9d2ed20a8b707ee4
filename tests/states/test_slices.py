import importlib

import pytest
import torch

from babelscope.models.parts import parts_of
from babelscope.states import DOWN_INPUT, embed_once, pool, prepare, slices
from tests.models.tiny import tiny_model, tiny_tokenizer


@pytest.mark.parametrize(("most", "least", "widths"), [(15 * 20, 7, [20, 20, 8]), (15 * 20, 30, [30, 18])])
def test_of_many_sentences_a_block_has_more_numbers_rather_than_few_columns(most, least, widths, monkeypatch):
    module = importlib.import_module("babelscope.states.slices")
    monkeypatch.setattr(module, "MOST", most)
    monkeypatch.setattr(module, "LEAST", least)
    layers = {"2": torch.randn(15, 48)}
    blocks = list(slices(layers, "2"))
    assert [block.shape[1] for block in blocks] == widths
    assert torch.equal(torch.cat(blocks, dim=1), layers["2"])


@pytest.mark.parametrize(("elements", "widths"), [(2**24, [48]), (15 * 20, [20, 20, 8]), (1, [1] * 48)])
def test_blocks_are_the_columns_of_the_layer(tmp_path, corpus, elements, widths):
    prepared = prepare(corpus, tiny_tokenizer())
    stored = embed_once(tmp_path, {}, parts_of(tiny_model("llama")), prepared, pool.mean, reading=DOWN_INPUT).layers
    for layers in (stored, dict(stored), {layer: x.double() for layer, x in stored.items()}):
        blocks = list(slices(layers, "2", elements=elements))
        assert [block.shape[1] for block in blocks] == widths
        assert all(block.dtype == torch.float32 for block in blocks)
        assert torch.equal(torch.cat(blocks, dim=1), stored["2"])

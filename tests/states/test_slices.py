import pytest
import torch

from babelscope.models.parts import parts_of
from babelscope.states import DOWN_INPUT, embed_once, pool, prepare, slices
from tests.models.tiny import tiny_model, tiny_tokenizer


@pytest.mark.parametrize(
    ("elements", "least", "widths"),
    [(2**24, 1, [48]), (15 * 20, 1, [20, 20, 8]), (1, 1, [1] * 48), (15 * 20, 30, [30, 18]), (1, 512, [48])],
)
def test_blocks_are_the_columns_of_the_layer(tmp_path, corpus, elements, least, widths):
    prepared = prepare(corpus, tiny_tokenizer())
    stored = embed_once(tmp_path, {}, parts_of(tiny_model("llama")), prepared, pool.mean, reading=DOWN_INPUT).layers
    for layers in (stored, dict(stored), {layer: x.double() for layer, x in stored.items()}):
        blocks = list(slices(layers, "2", elements=elements, least=least))
        assert [block.shape[1] for block in blocks] == widths
        assert all(block.dtype == torch.float32 for block in blocks)
        assert torch.equal(torch.cat(blocks, dim=1), stored["2"])

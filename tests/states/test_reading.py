import pytest
import torch

from babelscope.models.families import FAMILIES
from babelscope.models.parts import parts_of
from babelscope.states import DOWN_INPUT, GATE, READINGS, STATES, embed, pool, prepare
from tests.models.tiny import tiny_model, tiny_tokenizer
from tests.states.by_hand import neurons_by_hand


def test_readings_have_names_and_widths():
    parts = parts_of(tiny_model("llama"))
    assert READINGS == {"states": STATES, "down_input": DOWN_INPUT, "gate": GATE}
    assert STATES.widths(parts) == dict.fromkeys(parts.layers, 32)
    assert DOWN_INPUT.widths(parts) == GATE.widths(parts) == dict.fromkeys(("1", "2", "3", "4"), 48)


@pytest.mark.parametrize("model_type", FAMILIES)
def test_embedded_neurons_are_means_of_sentences_alone(corpus, model_type):
    parts, tokenizer = parts_of(tiny_model(model_type, depth=2)), tiny_tokenizer()
    texts = [text for language in corpus.languages for text in corpus.texts[language]]
    alone = [neurons_by_hand(parts, **tokenizer(text, return_tensors="pt")) for text in texts]
    for place, reading in enumerate((GATE, DOWN_INPUT)):
        layers = embed(parts, prepare(corpus, tokenizer, max_tokens=200), pool.mean, reading=reading).layers
        assert list(layers) == ["1", "2"]
        for i, x in enumerate(layers.values()):
            expected = torch.stack([blocks[i][place][0, 1:-1].mean(dim=0) for blocks in alone])
            torch.testing.assert_close(x, expected, rtol=1e-5, atol=1e-5)

import pytest
import torch

from babelscope.models.families import FAMILIES
from babelscope.models.parts import parts_of
from babelscope.states import DOWN_INPUT, GATE, READINGS, STATES, embed, pool, prepare, record
from babelscope.states.reading import states_of
from tests.models.tiny import tiny_inputs, tiny_model, tiny_tokenizer
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


@pytest.mark.parametrize("model_type", FAMILIES)
def test_some_layers_are_the_same_to_the_bit_and_nothing_above_them_runs(corpus, model_type):
    parts = parts_of(tiny_model(model_type, depth=3))
    prepared, ran = prepare(corpus, tiny_tokenizer(), max_tokens=200), []
    whole = embed(parts, prepared, pool.mean).layers
    for number, block in enumerate(parts.blocks):
        block.register_forward_hook(lambda *_, number=number: ran.append(number))
    for wanted, blocks in ((["0"], set()), (["0", "2"], {0, 1}), (["3"], {0, 1, 2}), (parts.layers, {0, 1, 2})):
        ran.clear()
        found = embed(parts, prepared, pool.mean, reading=states_of(wanted)).layers
        assert list(found) == list(wanted)
        assert all(torch.equal(x, whole[layer]) for layer, x in found.items())
        assert set(ran) == blocks


@pytest.mark.parametrize("only", [["0", "9"], []])
def test_layers_that_a_model_does_not_have_are_refused(only):
    parts = parts_of(tiny_model("bert"))
    given = ", ".join(only) or "none"
    with (
        pytest.raises(ValueError, match=f"`only` to be layers of 0, 1, .* but got {given}; name"),
        record(parts, lambda layer, hidden: None, only=only),
    ):
        pass


def test_a_block_that_is_passed_over_below_the_last_wanted_layer_is_an_error():
    parts = parts_of(tiny_model("bert"))

    def run_some_blocks():
        with torch.no_grad(), record(parts, lambda layer, hidden: None, only=["2"]):
            parts.blocks[1](parts.blocks[1](torch.zeros(1, 2, 32)))

    with pytest.raises(ValueError, match=r"equally often .* got 0 \(0x\), 1 \(0x\), 2 \(1x\); correct `blocks`"):
        run_some_blocks()
    with torch.no_grad(), record(parts, lambda layer, hidden: None, only=["2"]):
        parts.stack(**tiny_inputs())

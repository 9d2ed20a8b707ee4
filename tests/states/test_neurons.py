from dataclasses import replace

import pytest
import torch
from transformers import OPTConfig, OPTModel

from babelscope.analyses.ablation import ablate
from babelscope.models.families import FAMILIES, Family
from babelscope.models.parts import parts_of
from babelscope.states import record_neurons
from tests.models.tiny import ALL_HEADS, tiny_inputs, tiny_model
from tests.states.by_hand import neurons_by_hand, with_lora

UNGATED = {"bloom", "gpt2", "gpt_neox", "xglm", "apertus", "t5", "nemotron", "m2m_100", "mbart"}
UNGATED |= {"bert", "roberta", "camembert", "xlm-roberta", "xlm-roberta-xl", "rembert", "deberta-v2", "distilbert"}


def recorded(parts, place):
    seen = {}
    with torch.no_grad(), record_neurons(parts, lambda layer, x: seen.update({layer: x.clone()}), place=place):
        parts.stack(**tiny_inputs())
    return seen


def hooks(model):
    return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules())


@pytest.mark.parametrize("adapted", [False, True], ids=["plain", "lora"])
@pytest.mark.parametrize(("model_type", "task"), ALL_HEADS)
def test_neurons_are_those_of_the_blocks_own_weights(model_type, task, adapted):
    model = tiny_model(model_type, task, depth=2)
    if adapted:
        model = with_lora(model, FAMILIES[model_type].ffn_out)
    parts = parts_of(model)
    before = hooks(model)
    expected = neurons_by_hand(parts, **tiny_inputs())
    for place, column in (("gate", 0), ("down_input", 1)):
        seen = recorded(parts, place)
        assert list(seen) == ["1", "2"]
        for x, block in zip(seen.values(), expected, strict=True):
            assert x.shape == (3, 9, parts.neurons)
            torch.testing.assert_close(x, block[column], rtol=0, atol=0)
    assert any(not torch.equal(gate, down) for gate, down in expected) == (model_type not in UNGATED)
    assert hooks(model) == before


def test_hooks_are_gone_after_an_error_which_is_not_masked():
    parts = parts_of(tiny_model("bloom", pretraining_tp=2, slow_but_exact=True))
    before = hooks(parts.model)

    def fail():
        with torch.no_grad(), record_neurons(parts, lambda layer, x: None, place="down_input"):
            assert hooks(parts.model) > before
            parts.stack(**tiny_inputs())  # passes the down-projection by
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert hooks(parts.model) == before


def test_a_down_projection_that_is_passed_by_is_an_error_and_its_gate_is_not():
    parts = parts_of(tiny_model("bloom", pretraining_tp=2, slow_but_exact=True))
    message = (
        r"`ffn_out` of a bloom model .* in layers 1 \(0x in 1\), 2 .* the other reading, or set slow_but_exact=false"
    )
    with pytest.raises(ValueError, match=message) as caught:
        recorded(parts, "down_input")
    assert "\n" not in str(caught.value)
    assert list(recorded(parts, "gate")) == ["1", "2", "3", "4"]


def test_an_activation_function_that_blocks_share_is_an_error():
    model = tiny_model("llama")
    model.layers[1].mlp.act_fn = model.layers[0].mlp.act_fn
    with pytest.raises(
        ValueError, match=r"`ffn_gate` of a llama model .* 1 \(2x in 1\), 2 \(2x in 1\); correct that path"
    ):
        recorded(parts_of(model), "gate")


def test_feed_forward_layers_in_chunks_are_refused_and_can_be_switched_off():
    parts, whole = (parts_of(tiny_model("bert", depth=2, chunk_size_feed_forward=size)) for size in (3, 0))
    for place in ("gate", "down_input"):
        with pytest.raises(ValueError, match=r"bert model .* chunk_size_feed_forward=3; set it to 0") as caught:
            recorded(parts, place)
        assert "\n" not in str(caught.value)
    mask = torch.arange(2 * parts.neurons).view(2, -1) % 3 == 0
    found = []
    for each in (parts, whole):
        with torch.no_grad(), ablate(each, mask):
            found.append(each.stack(**tiny_inputs()).last_hidden_state)
    torch.testing.assert_close(*found)


def test_a_model_that_does_not_run_is_an_error():
    parts = parts_of(tiny_model("bert"))
    with (
        pytest.raises(ValueError, match="Expected a bert model to run while its neurons are recorded"),
        record_neurons(parts, lambda layer, x: None, place="gate"),
    ):
        pass


@pytest.mark.filterwarnings("ignore:.*torch.jit.script_method:DeprecationWarning")
def test_an_unknown_place_and_a_compiled_model_are_refused():
    parts = parts_of(tiny_model("bert"))
    with pytest.raises(ValueError, match=r"`place` to be 'down_input' or 'gate', but got 'up'; choose one\."):
        recorded(parts, "up")
    parts.blocks[0].compile()
    with pytest.raises(ValueError, match="that is not compiled"):
        recorded(parts, "gate")
    assert not hooks(parts.model)


def test_several_passes_are_counted_together():
    parts = parts_of(tiny_model("gpt2"))
    seen = []
    with torch.no_grad(), record_neurons(parts, lambda layer, x: seen.append(layer), place="down_input"):
        parts.stack(**tiny_inputs())
        parts.stack(**tiny_inputs(seed=1))
    assert seen == ["1", "2", "3", "4"] * 2


OPT = Family(
    model_type="opt",
    stack="decoder",
    tokens="decoder.embed_tokens",
    inputs=("decoder.embed_tokens", "decoder.embed_positions"),
    blocks="decoder.layers",
    ffn_out="fc2",
    ffn_gate="activation_fn",
    final_norm="decoder.final_layer_norm",
    objective="causal",
    lora_targets=("q_proj", "v_proj"),
)


def opt(**options):
    torch.manual_seed(0)
    sizes = {"vocab_size": 400, "hidden_size": 16, "ffn_dim": 24, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = OPTConfig(**sizes, max_position_embeddings=32, word_embed_proj_dim=16, dropout=0.0, **options)
    return OPTModel(config).eval()


@pytest.mark.parametrize("place", ["gate", "down_input"])
def test_tokens_that_a_model_flattens_are_by_sentence_again(place):
    parts = parts_of(opt(), OPT)
    ids = torch.arange(18).view(3, 6) + 5
    together, alone = [], []
    with torch.no_grad():
        with record_neurons(parts, lambda layer, x: together.append(x.clone()), place=place):
            parts.stack(input_ids=ids)
        hook = [block.fc2.register_forward_pre_hook(lambda m, args: alone.append(args[0])) for block in parts.blocks]
        for row in ids:
            parts.stack(input_ids=row[None])
    assert len(hook) == 2
    assert [x.shape for x in together] == [(3, 6, 24)] * 2
    for layer, x in enumerate(together):
        torch.testing.assert_close(x, torch.stack(alone[layer::2]).view(3, 6, 24))


def test_an_expert_that_is_given_some_tokens_only_is_refused():
    class Routed(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.expert = torch.nn.ReLU()

        def forward(self, x):
            return torch.cat([self.expert(x[:-1]), x[-1:]])

    model = opt()
    for block in model.decoder.layers:
        block.activation_fn = Routed()
    parts = parts_of(model, replace(OPT, ffn_gate="activation_fn.expert"))
    message = r"`ffn_gate` of a opt model .* every token of its block, \(3, 9\), .*layer 1 .*\(26, 24\)"
    with pytest.raises(ValueError, match=message.replace("a opt", "an? opt")):
        recorded(parts, "gate")
    assert not hooks(model)

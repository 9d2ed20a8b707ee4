import pytest
import torch

from babelscope.analyses.ablation import ablate
from babelscope.models.adapters import lora
from babelscope.models.parts import parts_of
from babelscope.states import record, record_neurons
from tests.models.tiny import ALL_HEADS, tiny_inputs, tiny_model


def recorded(model):
    seen = {}
    parts = parts_of(model)
    inputs = tiny_inputs()
    with torch.no_grad(), record(parts, lambda layer, hidden: seen.update({layer: hidden.clone()})):
        output = parts.stack(**inputs, output_hidden_states=True)
    return parts, seen, output.hidden_states


@pytest.mark.parametrize("adapted", [False, True], ids=["plain", "lora"])
@pytest.mark.parametrize(("model_type", "task"), ALL_HEADS)
def test_layers_are_hugging_faces_hidden_states(model_type, task, adapted):
    model = tiny_model(model_type, task)
    if adapted:
        model = lora(model)
        with torch.no_grad():  # a fresh LoRA changes nothing, so it would not show whether it is active
            for name, parameter in model.named_parameters():
                if "lora_B" in name:
                    parameter.normal_(std=0.3)
        model.eval()
    parts, seen, theirs = recorded(model)
    ours = [seen[layer] for layer in parts.layers]
    if parts.final_norm is not None:  # their last state is ours after the final norm
        ours = [*ours[:-2], ours[-1]]
        assert not torch.allclose(seen[str(len(parts.blocks))], seen["final"])
    assert len(ours) == len(theirs)
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other, rtol=0, atol=0)


def test_hooks_are_gone_afterwards_even_after_an_error():
    parts = parts_of(tiny_model("bert"))

    def hooks():
        return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in parts.model.modules())

    def fail():
        with record(parts, lambda layer, hidden: None):
            assert hooks() > before
            raise KeyError

    before = hooks()
    with pytest.raises(KeyError):
        fail()
    assert hooks() == before


@pytest.mark.parametrize(
    "hooked",
    [
        lambda parts: record(parts, lambda layer, hidden: None),
        lambda parts: record_neurons(parts, lambda layer, x: None, place="gate"),
        lambda parts: ablate(parts, torch.ones(len(parts.blocks), parts.neurons, dtype=torch.bool)),
    ],
    ids=["record", "record_neurons", "ablate"],
)
def test_no_hook_stays_when_a_later_one_cannot_be_set(monkeypatch, hooked):
    parts = parts_of(tiny_model("bert"))

    def fail(*args, **kwargs):
        raise KeyError("no hooks here")

    for module in (parts.blocks[-1], parts.ffn_out[-1], parts.ffn_gate[-1]):
        monkeypatch.setattr(module, "register_forward_hook", fail)
        monkeypatch.setattr(module, "register_forward_pre_hook", fail)
    with pytest.raises(KeyError, match="no hooks here"), hooked(parts):
        pass
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in parts.model.modules())


def test_a_layer_that_is_not_passed_is_an_error():
    parts = parts_of(tiny_model("bert"))

    def run_one_block():
        with torch.no_grad(), record(parts, lambda layer, hidden: None):
            parts.blocks[0](torch.zeros(1, 2, 32))

    with pytest.raises(ValueError, match=r"layer .* run equally often .* but got .*3 \(0x\).*; correct `blocks`"):
        run_one_block()


def test_a_model_that_does_not_run_is_an_error():
    parts = parts_of(tiny_model("bert"))
    with pytest.raises(ValueError, match="run equally often"), record(parts, lambda layer, hidden: None):
        pass


@pytest.mark.filterwarnings("ignore:.*torch.jit.script_method:DeprecationWarning")
def test_a_compiled_model_is_refused():
    parts = parts_of(tiny_model("bert"))
    parts.blocks[1].compile()
    with pytest.raises(ValueError, match="that is not compiled"), record(parts, lambda layer, hidden: None):
        pass

import json

import pytest
import torch
from peft import LoraConfig, PromptTuningConfig, get_peft_model
from torch import nn

from babelscope.models.adapters import lora
from babelscope.models.families import FAMILIES, Family
from babelscope.models.parts import Parts, parts_of
from babelscope.models.trainable import trainable_map
from tests.models.tiny import ALL_HEADS, DEPTH, WIDTH, tiny_inputs, tiny_model


def hooked_states(parts: Parts, inputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    seen: dict[str, torch.Tensor] = {}

    def first(output):
        return output if isinstance(output, torch.Tensor) else output[0]

    handles = [
        parts.blocks[0].register_forward_pre_hook(
            lambda module, args, kwargs: seen.update({"0": args[0] if args else kwargs["hidden_states"]}),
            with_kwargs=True,
        )
    ]
    norms = [] if parts.final_norm is None else [parts.final_norm]
    modules = dict(zip(parts.layers[1:], [*parts.blocks, *norms], strict=True))
    for name, module in modules.items():
        handles.append(module.register_forward_hook(lambda m, a, out, name=name: seen.update({name: first(out)})))
    with torch.no_grad():
        parts.stack(**inputs)
    for handle in handles:
        handle.remove()
    return seen


def published_states(model, inputs) -> tuple[torch.Tensor, ...]:
    with torch.no_grad():
        if getattr(model, "decoder", None) is not None or model.config.is_encoder_decoder:
            encoder = model.get_encoder()
            return encoder(**inputs, output_hidden_states=True).hidden_states
        return model(**inputs, output_hidden_states=True).hidden_states


@pytest.mark.parametrize("adapted", [False, True], ids=["plain", "lora"])
@pytest.mark.parametrize(("model_type", "head"), ALL_HEADS)
def test_hooks_see_the_hidden_states_of_hugging_face(model_type, head, adapted):
    model = tiny_model(model_type, head)
    inputs = tiny_inputs()
    before = hooked_states(parts_of(model), inputs)
    if adapted:
        family = FAMILIES[model_type]
        targets = (*family.lora_targets, family.ffn_out.removeprefix("layer.1."))
        model = lora(model, r=2, targets=[target.rsplit(".", 1)[-1] for target in targets]).eval()
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter)
    parts = parts_of(model)
    seen = hooked_states(parts, inputs)
    published = published_states(model.get_base_model() if adapted else model, inputs)

    assert len(published) == DEPTH + 1
    assert tuple(seen) == parts.layers
    names = [str(i) for i in range(DEPTH)] + [parts.layers[-1]]
    for name, expected in zip(names, published, strict=True):
        torch.testing.assert_close(seen[name], expected, rtol=0, atol=0)
    if adapted:
        torch.testing.assert_close(seen["0"], before["0"])
        assert not torch.allclose(seen["1"], before["1"]), "the adapters were bypassed"


@pytest.mark.parametrize(("model_type", "head"), ALL_HEADS)
def test_every_parameter_belongs_to_one_part(model_type, head):
    model = tiny_model(model_type, head)
    parts = parts_of(model)
    modules = [*parts.inputs, *parts.blocks, *parts.head, *parts.rest]
    modules += [m for m in (parts.final_norm, parts.decoder) if m is not None]
    found = {id(p) for module in modules for p in module.parameters()}
    own = {id(p) for p in model.parameters(recurse=False)}
    assert found | own == {id(p) for p in model.parameters()}
    assert len(parts.blocks) == DEPTH
    assert parts.width == WIDTH
    assert (parts.lm_head is not None) == (head == "lm")


@pytest.mark.parametrize("model_type", FAMILIES)
def test_tokens_are_what_the_stack_reads(model_type):
    parts = parts_of(tiny_model(model_type))
    ids = tiny_inputs()["input_ids"]
    with torch.no_grad():
        parts.tokens.weight.zero_()
    states = hooked_states(parts, {"input_ids": ids, "attention_mask": torch.ones_like(ids)})
    if len(parts.inputs) == 1 and isinstance(parts.inputs[0], nn.Embedding) and model_type != "xglm":
        assert states["0"].abs().max() == 0


@pytest.mark.parametrize("model_type", ["bert", "bloom", "llama"])
def test_ffn_gate_and_ffn_out_frame_the_activation(model_type):
    parts = parts_of(tiny_model(model_type))
    seen: dict[str, torch.Tensor] = {}
    parts.ffn_gate[1].register_forward_hook(lambda m, a, out: seen.update(gate=out))
    parts.ffn_out[1].register_forward_pre_hook(lambda m, args: seen.update(activation=args[0]))
    with torch.no_grad():
        parts.stack(**tiny_inputs())
    assert seen["gate"].shape == seen["activation"].shape
    # a gated model multiplies the gate by a second projection
    assert torch.equal(seen["gate"], seen["activation"]) == (model_type != "llama")


@pytest.mark.parametrize("adapted", [False, True], ids=["plain", "lora"])
@pytest.mark.parametrize("model_type", FAMILIES)
def test_neurons_are_counted_at_the_down_projection(model_type, adapted):
    model = tiny_model(model_type)
    if adapted:
        model = lora(model, r=2, targets=[FAMILIES[model_type].ffn_out.rsplit(".", 1)[-1]])
    assert parts_of(model).neurons == (4 * WIDTH if model_type == "bloom" else 48)


def test_blocks_with_different_numbers_of_neurons_are_refused():
    model = tiny_model("llama")
    model.layers[0].mlp.down_proj = nn.Linear(40, WIDTH)
    with pytest.raises(ValueError, match="equally many FFN neurons, but got 40, 48; read its hidden states"):
        assert parts_of(model).neurons


@pytest.mark.parametrize(
    ("model_type", "tied"), [("xlm-roberta", True), ("bloom", True), ("mt5", True), ("llama", False)]
)
def test_tied_is_read_from_identity(model_type, tied):
    parts = parts_of(tiny_model(model_type, "lm"))
    assert parts.tied == tied
    parts.model.config.tie_word_embeddings = not tied
    assert parts_of(parts.model).tied == tied


def test_blocks_are_counted():
    model = tiny_model("llama")
    del model.layers[-1]
    with pytest.raises(ValueError, match="the number of blocks of a llama model to be 4, but got 3"):
        parts_of(model)


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")
def test_prompt_learning_is_refused():
    model = get_peft_model(tiny_model("llama", "lm"), PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3))
    with pytest.raises(ValueError, match=r"prompt learning adds positions .*; use adapter=lora\.$"):
        parts_of(model)


def test_unknown_model_type_lists_the_known_ones_and_shows_a_row_that_works():
    model = tiny_model("llama")
    model.config.model_type = "lama"
    with pytest.raises(ValueError, match="but got 'lama'") as caught:
        parts_of(model)
    message = str(caught.value)
    assert "\n" not in message
    assert all(name in message for name in FAMILIES)
    row = json.loads(message[message.index("{") :])
    family = Family(**row)
    assert family == FAMILIES["llama"]
    assert len(parts_of(model, family).blocks) == DEPTH


def test_a_row_may_be_given_for_a_model_type_without_one():
    model = tiny_model("llama")
    model.config.model_type = "lama"
    assert parts_of(model, FAMILIES["llama"]).layers == ("0", "1", "2", "3", "4", "final")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("blocks", "h", "Expected 'h' in a llama model, but LlamaModel has no such module"),
        ("ffn_out", "mlp.up_proj", "`ffn_out` of block 0 of a llama model to be 32, but got 48"),
        ("tokens", "layers.0.mlp.down_proj", "`tokens` of a llama model to be its input embeddings"),
        ("tokens", "layers.0.mlp.up_proj", "`tokens` of a llama model to be its input embeddings"),
        ("final_norm", "ln_f", "Expected 'ln_f' in a llama model"),
        ("positions", "wpe", "Expected 'wpe' in a llama model"),
    ],
)
def test_a_row_that_does_not_fit_is_refused(field, value, message):
    row = Family(**{**vars(FAMILIES["llama"]), field: value, "ffn_gate": ""})
    with pytest.raises(ValueError, match=message):
        parts_of(tiny_model("llama"), row)


def test_only_hugging_face_models_have_parts():
    with pytest.raises(ValueError, match="Expected `model` to be a Hugging Face or PEFT model, but got Linear"):
        parts_of(nn.Linear(2, 2))


@pytest.mark.parametrize("model_type", FAMILIES)
def test_a_model_reads_as_many_tokens_as_its_table_of_positions_has_rows_for(model_type):
    lengths = {**dict.fromkeys(("roberta", "camembert", "xlm-roberta", "xlm-roberta-xl"), 518)}
    lengths |= dict.fromkeys(("bert", "rembert", "distilbert", "gpt2", "mbart"), 520)
    model = tiny_model(model_type)
    parts = parts_of(model)
    assert parts.max_length == lengths.get(model_type)
    ids = torch.full((1, parts.max_length or 600), 9)
    with torch.no_grad():
        assert parts.stack(input_ids=ids)[0].shape[1] == ids.shape[1]
        if parts.max_length is not None:
            with pytest.raises((IndexError, RuntimeError)):
                parts.stack(input_ids=torch.full((1, parts.max_length + 1), 9))


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")
def test_a_table_of_which_an_adapter_trains_some_rows_is_the_table():
    model = get_peft_model(tiny_model("llama"), LoraConfig(target_modules=["q_proj"], trainable_token_indices=[3, 5]))
    parts = parts_of(model)
    found = trainable_map(parts).rows[0]
    assert (found.part, found.trainable) == ("inputs", 2 * WIDTH)
    ids = torch.tensor([[3, 7]])
    with torch.no_grad():
        before = hooked_states(parts, {"input_ids": ids})["0"]
        next(p for name, p in model.named_parameters() if "trainable_tokens" in name).add_(1.0)
        after = hooked_states(parts, {"input_ids": ids})["0"]
    torch.testing.assert_close(after - before, torch.tensor([1.0, 0.0])[None, :, None].expand_as(before))
    encoder = get_peft_model(tiny_model("mt5"), LoraConfig(target_modules=["q"], trainable_token_indices=[3]))
    with pytest.raises(ValueError, match=r"its embeddings are untied: .* or without an adapter on its table\.$"):
        parts_of(encoder)

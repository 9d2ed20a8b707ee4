import pytest
import torch

from babelscope.models.adapters import lora
from babelscope.models.fingerprint import weights_fingerprint
from babelscope.models.freeze import freeze
from babelscope.models.parts import parts_of
from babelscope.models.policies import FreezePolicy, early, embeddings, last, none
from babelscope.models.trainable import trainable_map
from tests.models.tiny import CLASSIFIERS, tiny_inputs, tiny_model


def trained_parts(found):
    return {row.part for row in found.rows if row.trainable}


def step(model):
    """One optimizer step with a large weight decay, over all parameters, frozen or not."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, weight_decay=0.5)
    inputs = tiny_inputs()
    model(**inputs, labels=torch.tensor([0, 1, 2])).loss.backward()
    optimizer.step()


def test_eight_blocks_are_blocks_0_to_7():
    parts = parts_of(tiny_model("llama", "classification", depth=12))
    found = {row.part: row for row in freeze(parts, FreezePolicy(blocks=[[0, 8]])).rows}
    assert found["block 7"].trainable == 0
    assert found["block 8"].trainable == found["block 8"].parameters > 0


@pytest.mark.parametrize("adapted", [False, True], ids=["plain", "lora"])
@pytest.mark.parametrize("model_type", CLASSIFIERS)
def test_frozen_tensors_stay_bit_identical_under_weight_decay(model_type, adapted):
    model = tiny_model(model_type, "classification", seed=1)
    model = lora(model, r=2) if adapted else model
    parts = parts_of(model)
    found = freeze(parts, early(4, blocks_frozen=2))
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    step(model)
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            assert torch.equal(parameter, before[name]), name
    frozen = [*parts.inputs, parts.blocks[0], parts.blocks[1]]
    assert not any(p.requires_grad for module in frozen for p in module.parameters())
    moved = {name for name, p in model.named_parameters() if not torch.equal(p, before[name])}
    ids = {id(p) for p in [*parts.blocks[2].parameters(), *parts.blocks[3].parameters()]}
    assert any(id(p) in ids for name, p in model.named_parameters() if name in moved), "the later blocks train"
    assert trainable_map(parts) == found


@pytest.mark.parametrize("model_type", CLASSIFIERS)
def test_early_freezes_what_it_says(model_type):
    found = freeze(parts_of(tiny_model(model_type, "classification")), early)
    expected = {"block 1", "block 2", "block 3", "head", "decoder", "rest"} & {row.part for row in found.rows}
    assert trained_parts(found) == expected


def test_early_freezes_a_language_modelling_head_but_no_classifier():
    assert "lm_head" not in trained_parts(freeze(parts_of(tiny_model("llama", "lm")), early))
    assert "head" in trained_parts(freeze(parts_of(tiny_model("llama", "classification")), early))
    assert "final_norm" not in trained_parts(freeze(parts_of(tiny_model("llama", "classification")), early))


@pytest.mark.parametrize("model_type", ["xlm-roberta", "bloom", "mt5", "gpt2"])
def test_freezing_the_inputs_freezes_a_head_tied_to_them(model_type):
    parts = parts_of(tiny_model(model_type, "lm"))
    assert parts.tied
    freeze(parts, embeddings)
    assert not parts.lm_head.weight.requires_grad


def test_freezing_a_tied_head_freezes_the_token_table():
    parts = parts_of(tiny_model("bloom", "lm"))
    found = {row.part: row for row in freeze(parts, FreezePolicy(lm_head=True)).rows}
    assert not parts.tokens.weight.requires_grad
    assert 0 < found["inputs"].trainable < found["inputs"].parameters


def test_a_convolution_behind_block_0_is_of_the_inputs():
    model = tiny_model("deberta-v2", "classification", conv_kernel_size=3, conv_act="tanh")
    parts = parts_of(model)
    assert model.deberta.encoder.conv in parts.inputs
    before = weights_fingerprint(model)
    freeze(parts, FreezePolicy(inputs=True, blocks=[[0, 2]]))
    assert not any(p.requires_grad for p in model.deberta.encoder.conv.parameters())
    with torch.no_grad():
        model.deberta.encoder.conv.conv.weight.add_(1)
    assert weights_fingerprint(model) != before  # its states do, too


def test_the_decoder_is_an_option():
    freeze_it, train_it = (parts_of(tiny_model("mt5", "classification")) for _ in range(2))
    assert "decoder" not in trained_parts(freeze(freeze_it, FreezePolicy(decoder="freeze", blocks=[0, 1])))
    assert "decoder" in trained_parts(freeze(train_it, FreezePolicy(blocks=[0, 1])))


def test_the_relative_positions_of_mt5_belong_to_block_0():
    parts = parts_of(tiny_model("mt5"))
    freeze(parts, FreezePolicy(blocks=[0, 1]))
    bias = [p for name, p in parts.stack.named_parameters() if "relative_attention_bias" in name]
    assert len(bias) == 1
    assert not bias[0].requires_grad


def test_adapters_inside_frozen_blocks_are_frozen_and_the_others_train():
    model = lora(tiny_model("xlm-roberta", "classification"), r=2)
    found = {row.part: row for row in freeze(parts_of(model), early(4, blocks_frozen=2)).rows}
    assert found["block 1"].trainable == 0
    assert 0 < found["block 2"].trainable < found["block 2"].parameters
    assert found["head"].trainable > 0


def test_freezing_never_makes_anything_trainable():
    model = lora(tiny_model("llama", "classification"), r=2)
    before = [p.requires_grad for p in model.parameters()]
    freeze(parts_of(model), none)
    assert [p.requires_grad for p in model.parameters()] == before


def test_last_freezes_the_other_end():
    found = freeze(parts_of(tiny_model("bloom", "classification")), last)
    assert trained_parts(found) == {"inputs", "block 0", "block 1", "block 2", "head"}


def test_nothing_left_to_train_is_an_error():
    with pytest.raises(ValueError, match=r"Expected `freeze` to leave something to train, .* leave a block"):
        freeze(parts_of(tiny_model("llama")), FreezePolicy(inputs=True, blocks=[0, 4], final_norm=True))


def test_freezing_beyond_the_last_block_is_an_error_that_changes_nothing():
    parts = parts_of(tiny_model("llama"))
    with pytest.raises(ValueError, match=r"within the 4 blocks of the model, but got \[0, 8\]"):
        freeze(parts, FreezePolicy(inputs=True, blocks=[0, 8]))
    assert all(p.requires_grad for p in parts.model.parameters())

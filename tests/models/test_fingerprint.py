import pytest
import torch
from peft.tuners.tuners_utils import BaseTunerLayer

from babelscope.models.adapters import lora
from babelscope.models.fingerprint import frozen_fingerprint, tensors_fingerprint, weights_fingerprint
from tests.models.tiny import CLASSIFIERS, tiny_model


@pytest.mark.parametrize("model_type", CLASSIFIERS)
def test_the_head_is_no_part_of_it(model_type):
    base, classifier, lm = (tiny_model(model_type, head) for head in ("base", "classification", "lm"))
    for model in (classifier, lm):
        missing = model.base_model.load_state_dict(base.state_dict(), strict=False)
        assert not missing.unexpected_keys or all("pooler" in key for key in missing.unexpected_keys)
    assert weights_fingerprint(base) == weights_fingerprint(classifier) == weights_fingerprint(lm)


def test_one_changed_bit_changes_it():
    model = tiny_model("bloom")
    before = weights_fingerprint(model)
    assert weights_fingerprint(tiny_model("bloom")) == before
    with torch.no_grad():
        model.h[3].mlp.dense_4h_to_h.bias[5] += 1e-3
    assert weights_fingerprint(model) != before


def test_dtypes_differ():
    found = {weights_fingerprint(tiny_model("llama").to(d)) for d in (torch.float32, torch.bfloat16, torch.float16)}
    assert len(found) == 3


def test_settings_that_act_on_the_weights_count():
    assert weights_fingerprint(tiny_model("llama")) != weights_fingerprint(tiny_model("llama", rms_norm_eps=1e-3))


@pytest.mark.parametrize(
    ("model_type", "setting"),
    [
        ("xlm-roberta", {"is_decoder": True}),
        ("bert", {"is_decoder": True}),
        ("roberta", {"pad_token_id": 2}),
        ("camembert", {"pad_token_id": 2}),
    ],
)
def test_settings_of_attention_and_positions_count(model_type, setting):
    model, other = tiny_model(model_type), tiny_model(model_type, **setting)
    other.load_state_dict(model.state_dict())
    tokens = torch.arange(20, 30).unsqueeze(0)
    assert not torch.allclose(model(tokens).last_hidden_state, other(tokens).last_hidden_state, atol=1e-3)
    assert weights_fingerprint(model) != weights_fingerprint(other)


def test_adapters_and_their_scale_count():
    torch.manual_seed(0)
    plain = weights_fingerprint(tiny_model("llama"))
    one = lora(tiny_model("llama"), r=2, alpha=4)
    other = lora(tiny_model("llama"), r=2, alpha=8)
    other.load_state_dict(one.state_dict())
    assert len({plain, weights_fingerprint(one), weights_fingerprint(other)}) == 3


def test_the_hash_of_tensors_knows_no_settings():
    model = tiny_model("bloom")
    tensors, weights = tensors_fingerprint(model), weights_fingerprint(model)
    model.config.hidden_dropout = 0.3
    assert weights_fingerprint(model) != weights
    assert tensors_fingerprint(model) == tensors
    with torch.no_grad():
        model.h[2].mlp.dense_4h_to_h.bias[0] += 1
    assert tensors_fingerprint(model) != tensors


def test_the_hash_of_what_does_not_train_knows_nothing_else():
    one, other = (lora(tiny_model("llama", "classification")) for _ in range(2))
    before = frozen_fingerprint(one)
    with torch.no_grad():
        for parameter in one.parameters():
            if parameter.requires_grad:
                parameter.add_(1)
    assert frozen_fingerprint(one) == frozen_fingerprint(other) == before
    with torch.no_grad():
        next(parameter for parameter in one.parameters() if not parameter.requires_grad)[0, 0] += 1
    assert frozen_fingerprint(one) != before
    assert frozen_fingerprint(tiny_model("bert")) == frozen_fingerprint(tiny_model("llama"))


def test_what_an_adapter_does_at_the_moment_counts():
    model = lora(tiny_model("llama"), r=2)
    before, tensors = weights_fingerprint(model), tensors_fingerprint(model)
    with model.disable_adapter():
        assert weights_fingerprint(model) != before
        assert tensors_fingerprint(model) == tensors
    assert weights_fingerprint(model) == before
    next(module for module in model.modules() if isinstance(module, BaseTunerLayer)).scaling["default"] *= 3
    assert weights_fingerprint(model) != before


def test_a_parameter_that_only_the_backbone_holds_counts():
    model = tiny_model("bert")
    before = weights_fingerprint(model)
    model.encoder.gate = torch.nn.Parameter(torch.ones(5))
    assert weights_fingerprint(model) != before


@pytest.mark.filterwarnings("ignore:torch.*deprecated")
@pytest.mark.parametrize("fingerprint", [weights_fingerprint, tensors_fingerprint])
def test_quantized_weights_are_refused_in_one_line(fingerprint):
    model = torch.ao.quantization.quantize_dynamic(tiny_model("bert"), {torch.nn.Linear}, dtype=torch.qint8)
    with pytest.raises(ValueError, match=r"weights that are not quantized, but blocks\.0\..* pass the model") as caught:
        fingerprint(model)
    assert "\n" not in str(caught.value)

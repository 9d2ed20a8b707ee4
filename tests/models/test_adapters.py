from pathlib import Path

import pytest
import torch

from babelscope.models.adapters import lora, save_adapted
from babelscope.models.checkpoint import Checkpoint, name_base
from babelscope.models.load import load
from tests.models.tiny import ALL_HEADS, LABELS, save_checkpoint, tiny_inputs, tiny_model, tiny_tokenizer


def randomize(model):
    """As after training: everything trainable is different."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.copy_(torch.randn(parameter.shape) * 0.3)
    return model.eval()


@pytest.mark.parametrize(("model_type", "head"), ALL_HEADS)
def test_the_adapters_and_only_a_classifier_train(model_type, head):
    model = lora(tiny_model(model_type, head), r=2)
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    extra = {name for name in trained if "lora_" not in name}
    assert trained - extra
    if head == "classification":
        assert any(head in name for name in extra for head in ("classifier", "score", "classification_head"))
    else:
        assert not extra


@pytest.mark.parametrize("model_type", ["xlm-roberta", "bert", "mt5", "bloom", "gpt2", "llama"])
def test_saved_adapters_load_back_with_their_head(model_type, tmp_path):
    save_checkpoint(tmp_path / "base", model_type, "lm" if model_type != "bert" else "base")
    loaded = load(tmp_path / "base", head="classification", labels=LABELS, adapter=lambda model: lora(model, r=2))
    randomize(loaded.model)
    save_adapted(loaded.model, tmp_path / "adapted")
    again = load(tmp_path / "adapted", head="classification")
    again.model.eval()
    inputs = tiny_inputs()
    with torch.no_grad():
        expected, found = loaded.model(**inputs).logits, again.model(**inputs).logits
    assert found.shape == (3, LABELS)
    assert torch.equal(expected, found)
    assert again.trainable == loaded.trainable


@pytest.mark.parametrize("head", ["classification", "lm"])
@pytest.mark.parametrize("model_type", ["xlm-roberta", "mt5", "bloom", "llama"])
def test_adapters_of_any_task_can_be_probed_without_their_head(model_type, head, tmp_path):
    save_checkpoint(tmp_path / "base", model_type, "lm")
    labels = 3 if head == "classification" else None
    trained = load(tmp_path / "base", head=head, labels=labels, adapter=lambda model: lora(model, r=2))
    randomize(trained.model)
    save_adapted(trained.model, tmp_path / "adapted")
    probed = load(tmp_path / "adapted", head="base")
    probed.model.eval()
    with torch.no_grad():
        expected, found = (m.parts.stack(**tiny_inputs()).last_hidden_state for m in (trained, probed))
    assert torch.equal(expected, found)
    if model_type != "mt5":  # a T5 language model is its own backbone
        assert not probed.parts.head


def test_the_other_task_is_refused(tmp_path):
    save_checkpoint(tmp_path / "base", "llama", "lm")
    save_adapted(lora(load(tmp_path / "base", head="lm").model), tmp_path / "adapted")
    with pytest.raises(
        ValueError,
        match=r"Expected `head` \(chosen by `task`\) to be lm or base for the adapter in .*, but got classification",
    ):
        load(tmp_path / "adapted", head="classification")


def test_an_adapter_whose_base_has_gone_is_refused(tmp_path):
    save_checkpoint(tmp_path / "base", "llama", "lm")
    save_adapted(lora(load(tmp_path / "base", head="lm").model), tmp_path / "adapted")
    (tmp_path / "base").rename(tmp_path / "moved")
    with pytest.raises(ValueError, match=r"adapter in .*adapted was made for .* but got '.*base'.*adapter_config"):
        load(tmp_path / "adapted")


def test_an_adapter_finds_its_base_from_any_folder(tmp_path, monkeypatch):
    save_checkpoint(tmp_path / "base", "llama", "lm")
    monkeypatch.chdir(tmp_path)
    adapted = load("base", head="lm", adapter=lora).model
    save_adapted(adapted, tmp_path / "adapted")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    save_checkpoint(Path("base"), "llama", "lm", seed=1)  # another model, to which the path led from here
    found = load(tmp_path / "adapted", head="lm").model
    theirs = dict(found.named_parameters())
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in adapted.named_parameters())


def test_an_adapter_on_a_revision_of_the_hub_names_it():
    model = lora(tiny_model("llama", "lm"))
    name_base(model, Checkpoint("somebody/model", "step10", False))
    config = model.peft_config["default"]
    assert (config.base_model_name_or_path, config.revision) == ("somebody/model", "step10")


def test_an_adapter_of_another_shape_is_refused(tmp_path):
    save_checkpoint(tmp_path / "base", "llama", "lm")
    save_adapted(lora(load(tmp_path / "base", head="lm").model), tmp_path / "adapted")
    save_checkpoint(tmp_path / "base", "llama", "lm", hidden_size=64, head_dim=16)
    with pytest.raises(
        ValueError, match=r"Expected the adapter in `model\.checkpoint` to fit LlamaForCausalLM"
    ) as caught:
        load(tmp_path / "adapted", head="lm")
    assert "\n" not in str(caught.value)


def test_an_adapter_without_safetensors_is_refused(tmp_path):
    save_checkpoint(tmp_path / "base", "llama")
    save_adapted(lora(load(tmp_path / "base").model), tmp_path / "adapted")
    (tmp_path / "adapted" / "adapter_model.safetensors").unlink()
    with pytest.raises(ValueError, match=r"Expected adapter_model.safetensors in `model\.checkpoint`"):
        load(tmp_path / "adapted")


def test_the_tokenizer_beside_the_adapter_is_used(tmp_path):
    save_checkpoint(tmp_path / "base", "llama")
    save_adapted(lora(load(tmp_path / "base").model), tmp_path / "adapted")
    tokenizer = tiny_tokenizer()
    tokenizer.pad_token = "<mask>"
    tokenizer.save_pretrained(tmp_path / "adapted")
    assert load(tmp_path / "adapted").tokenizer.pad_token == "<mask>"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"targets": ["q_proj", "query"]},
            "`adapter.targets` to name linear layers of LlamaModel, but got query; its ",
        ),
        ({"targets": []}, "but got none; its layers are down_proj, embed_tokens, gate_proj, k_proj"),
        ({"r": 0}, "`adapter.r` >= 1 .* but got r=0"),
        ({"dropout": 1.0}, "`adapter.dropout` < 1, but got r=8, dropout=1.0"),
    ],
)
def test_bad_arguments_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        lora(tiny_model("llama"), **options)


def test_a_model_with_adapters_is_refused():
    with pytest.raises(ValueError, match="Expected `model` to be without adapters"):
        lora(lora(tiny_model("llama")))

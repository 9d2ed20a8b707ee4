"""Folders that PEFT alone wrote, as other tools leave them."""

import json

import pytest
import torch
from peft import LoraConfig, PeftModel, PrefixTuningConfig, get_peft_model
from transformers import AutoModel, AutoModelForMaskedLM, AutoModelForSequenceClassification

from babelscope.models.adapters import save_adapted
from babelscope.models.checkpoint import resolve_checkpoint
from babelscope.models.load import load
from babelscope.models.parts import parts_of
from babelscope.models.raw_config import read_family_of_checkpoint
from tests.models.test_adapters import randomize
from tests.models.tiny import VOCABULARY, save_checkpoint, tiny_inputs, tiny_tokenizer

TARGETS = {"xlm-roberta": ["query"], "bert": ["query"], "llama": ["q_proj"], "mt5": ["q"]}


def save_lora(base, folder, model_type="xlm-roberta", auto=AutoModel, *, rows=None, modules=None, kind=None, **keys):
    """Train nothing, but save as if: the model with the adapters in it, as PEFT has it."""
    model = auto.from_pretrained(base, **keys)
    if rows is not None:
        model.resize_token_embeddings(rows)
    config = LoraConfig(r=2, target_modules=TARGETS[model_type], modules_to_save=modules, task_type=kind)
    adapted = randomize(get_peft_model(model, config))
    adapted.save_pretrained(str(folder), save_embedding_layers=rows is not None)
    return adapted


def rename_base(folder, name):
    file = folder / "adapter_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "base_model_name_or_path": name}))


def states(model):
    with torch.no_grad():
        return model.eval()(**tiny_inputs()).last_hidden_state


def probed(checkpoint):
    return states(load(checkpoint).parts.stack)


def refusal(checkpoint, **options):
    with pytest.raises(ValueError, match=r"^Expected .*`(model\.checkpoint|head)`.*, but .*; .*\.$") as caught:
        load(checkpoint, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("by", ["its path", "its relative path"])
def test_adapters_in_the_folder_of_their_model_are_applied_once(by, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = save_checkpoint(tmp_path / "model", "xlm-roberta")
    expected = states(save_lora(folder if by == "its path" else "model", folder))
    loaded = load(folder)
    assert torch.equal(states(loaded.parts.stack), expected)
    assert isinstance(loaded.model, PeftModel)
    assert not loaded.model.get_base_model()._hf_peft_config_loaded  # by transformers, too
    assert not torch.equal(
        states(AutoModel.from_pretrained(save_checkpoint(tmp_path / "base", "xlm-roberta"))), expected
    )
    assert read_family_of_checkpoint(folder).model_type == "xlm-roberta"
    message = refusal(folder, head="classification")
    assert "`head` (chosen by `task`) to be base for the adapter" in message
    assert "or move its adapter_config.json away." in message


def test_classifier_in_the_folder_of_its_model(tmp_path):
    folder = save_checkpoint(tmp_path / "model", "xlm-roberta", "classification", labels=3)
    adapted = save_lora(
        folder,
        folder,
        auto=AutoModelForSequenceClassification,
        kind="SEQ_CLS",
        num_labels=5,
        ignore_mismatched_sizes=True,
    )
    with torch.no_grad():
        expected = adapted(**tiny_inputs()).logits
        assert torch.equal(load(folder, head="classification").model.eval()(**tiny_inputs()).logits, expected)


def test_adapters_that_are_made_for_each_other_are_refused(tmp_path):
    base = save_checkpoint(tmp_path / "base", "xlm-roberta")
    for name, other in (("one", "two"), ("two", "one")):
        save_lora(base, tmp_path / name)
        rename_base(tmp_path / name, str(tmp_path / other))
    assert "trained on as base_model_name_or_path in both" in refusal(tmp_path / "one")
    rename_base(tmp_path / "one", str(tmp_path / "one"))
    assert "config.json" in refusal(tmp_path / "one")


@pytest.mark.parametrize("name", [None, "", 3])
def test_adapters_without_a_base_are_refused(name, tmp_path):
    save_lora(save_checkpoint(tmp_path / "base", "xlm-roberta"), tmp_path / "adapter")
    rename_base(tmp_path / "adapter", name)
    with pytest.raises(ValueError, match=rf"to name its base model, but .* \(.*is {json.dumps(name)}\); write"):
        resolve_checkpoint(tmp_path / "adapter", None, False)


def test_a_description_that_is_no_object_is_refused(tmp_path):
    save_lora(save_checkpoint(tmp_path / "base", "xlm-roberta"), tmp_path / "adapter")
    (tmp_path / "adapter" / "adapter_config.json").write_text("[]")
    with pytest.raises(ValueError, match="to name its base model"):
        resolve_checkpoint(tmp_path / "adapter", None, False)


def test_adapters_upon_adapters_are_refused_and_the_remedy_helps(tmp_path):
    base, inner, outer = save_checkpoint(tmp_path / "base", "xlm-roberta"), tmp_path / "inner", tmp_path / "outer"
    save_lora(base, inner)
    save_lora(base, outer)
    rename_base(outer, str(inner))
    message = refusal(outer)
    assert f"{outer} is made for {inner}, which holds an adapter made for {str(base)!r}; merge this" in message
    assert "out of it" not in message
    merged = PeftModel.from_pretrained(AutoModel.from_pretrained(base), str(inner)).merge_and_unload()
    merged.save_pretrained(tmp_path / "merged")
    tiny_tokenizer().save_pretrained(tmp_path / "merged")
    rename_base(outer, str(tmp_path / "merged"))
    expected = states(PeftModel.from_pretrained(merged, str(outer)).get_base_model())
    assert torch.equal(probed(outer), expected)


def test_adapters_that_were_trained_on_beside_their_model_load_when_the_first_are_moved_away(tmp_path):
    base = save_checkpoint(tmp_path / "base", "xlm-roberta")
    first = states(save_lora(base, base))
    trained = load(base)
    randomize(trained.model)
    save_adapted(trained.model, tmp_path / "run")
    assert "alone, or in the place of that adapter, as by `train` on that folder, move" in refusal(tmp_path / "run")
    (tmp_path / "away").mkdir()
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        (base / name).rename(tmp_path / "away" / name)
    assert torch.equal(probed(tmp_path / "run"), states(trained.parts.stack))
    assert torch.equal(probed(tmp_path / "away"), first)


@pytest.mark.parametrize("model_type", sorted(TARGETS))
@pytest.mark.parametrize("before", [None, 3])
def test_the_saved_head_says_how_many_labels(before, model_type, tmp_path):
    """Whatever the base has: no head, or one of another size."""
    without = "base" if model_type == "bert" else "lm"  # PEFT does not save BERT's pooler
    base = (
        save_checkpoint(tmp_path / "base", model_type, without)
        if before is None
        else save_checkpoint(tmp_path / "base", model_type, "classification", labels=before)
    )
    adapted = save_lora(
        base,
        tmp_path / "adapter",
        model_type,
        AutoModelForSequenceClassification,
        kind="SEQ_CLS",
        modules=["classification_head"] if model_type == "mt5" else None,
        num_labels=5,
        ignore_mismatched_sizes=True,
    )
    assert not (tmp_path / "adapter" / "config.json").exists()
    loaded = load(tmp_path / "adapter", head="classification", new_head=False)
    with torch.no_grad():
        assert torch.equal(loaded.model.eval()(**tiny_inputs()).logits, adapted(**tiny_inputs()).logits)
    assert torch.equal(probed(tmp_path / "adapter"), states(parts_of(adapted).stack))
    assert "give the task and the number of labels" in refusal(tmp_path / "adapter", head="classification", labels=6)


def test_prompts_are_refused(tmp_path):
    base = AutoModel.from_pretrained(save_checkpoint(tmp_path / "base", "xlm-roberta"))
    prompts = PrefixTuningConfig(num_virtual_tokens=2, task_type="FEATURE_EXTRACTION")
    get_peft_model(base, prompts).save_pretrained(str(tmp_path / "prompts"))
    assert "is PREFIX_TUNING: prompt learning adds positions" in refusal(tmp_path / "prompts")


def test_a_kind_that_peft_does_not_know_is_refused(tmp_path):
    base = save_checkpoint(tmp_path / "base", "xlm-roberta")
    save_lora(base, tmp_path / "adapter")
    path = tmp_path / "adapter" / "adapter_config.json"
    path.write_text(path.read_text().replace('"LORA"', '"ARTAL"'))
    assert "correct its peft_type" in refusal(tmp_path / "adapter")


@pytest.mark.parametrize("auto", [AutoModel, AutoModelForMaskedLM])
def test_a_resized_vocabulary_is_refused_and_the_remedy_helps(auto, tmp_path):
    base, folder, merged = (
        save_checkpoint(tmp_path / "base", "xlm-roberta", "lm"),
        tmp_path / "adapter",
        tmp_path / "new",
    )
    expected = states(save_lora(base, folder, auto=auto, rows=VOCABULARY + 8).get_base_model().base_model)
    assert "its token table has other rows than its base's" in refusal(folder)
    model = auto.from_pretrained(base)
    model.resize_token_embeddings(VOCABULARY + 8)
    PeftModel.from_pretrained(model, str(folder)).merge_and_unload().save_pretrained(merged)
    tiny_tokenizer().save_pretrained(merged)
    assert torch.allclose(probed(merged), expected, atol=1e-4)


def test_another_model_than_the_base_is_refused(tmp_path):
    save_lora(save_checkpoint(tmp_path / "base", "xlm-roberta"), tmp_path / "adapter")
    save_checkpoint(tmp_path / "base", "xlm-roberta", hidden_size=64)
    assert "trained on into its adapter_config.json" in refusal(tmp_path / "adapter")


def test_torn_weights_are_refused(tmp_path):
    save_lora(save_checkpoint(tmp_path / "base", "xlm-roberta"), tmp_path / "adapter")
    (tmp_path / "adapter" / "adapter_model.safetensors").write_bytes(b"torn")
    assert "save the adapter again" in refusal(tmp_path / "adapter")

"""Heads that classify tokens, in every family that transformers has one for."""

import pytest
import torch
from transformers import MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING as HEADS
from transformers import AutoModelForTokenClassification

from babelscope.models.adapters import lora, save_adapted
from babelscope.models.families import FAMILIES
from babelscope.models.load import load
from babelscope.models.policies import early
from tests.models.tiny import save_checkpoint, tiny_config, tiny_inputs, tiny_tokenizer

WITH = [name for name in FAMILIES if type(tiny_config(name)) in HEADS]
TAGS = ("adjective", "noun", "verb")


def logits(model):
    with torch.no_grad():
        return model.eval()(**tiny_inputs()).logits


def test_most_families_have_one():
    assert {"xlm-roberta", "mt5", "bloom", "llama", "bert", "qwen3", "gemma2"} <= set(WITH)


@pytest.mark.parametrize("model_type", WITH)
def test_a_trained_classifier_is_read_as_hugging_face_reads_it(model_type, tmp_path):
    save_checkpoint(tmp_path / "base", model_type, "lm")
    made = load(tmp_path / "base", head="token_classification", labels=TAGS, freeze=early)
    assert made.parts.head
    assert made.parts.lm_head is None
    assert all(parameter.requires_grad for module in made.parts.head for parameter in module.parameters())
    assert not any(parameter.requires_grad for parameter in made.parts.blocks[0].parameters())
    made.model.save_pretrained(tmp_path / "own")
    tiny_tokenizer().save_pretrained(tmp_path / "own")
    own = load(tmp_path / "own", head="token_classification", new_head=False).model
    theirs = AutoModelForTokenClassification.from_pretrained(tmp_path / "own")
    assert own.config.id2label == dict(enumerate(TAGS))
    assert logits(own).shape == (3, 9, 3)
    assert torch.equal(logits(own), logits(theirs))
    assert torch.equal(logits(own), logits(made.model))


@pytest.mark.parametrize("model_type", ["xlm-roberta", "mt5", "bloom", "llama"])
def test_adapters_are_saved_with_their_classifier(model_type, tmp_path):
    save_checkpoint(tmp_path / "base", model_type, "lm")
    made = load(tmp_path / "base", head="token_classification", labels=TAGS, adapter=lora)
    with torch.no_grad():
        for parameter in made.model.parameters():
            if parameter.requires_grad:
                parameter.normal_(std=0.1, generator=torch.Generator().manual_seed(0))
    save_adapted(made.model, tmp_path / "adapter")
    again = load(tmp_path / "adapter", head="token_classification")
    assert again.model.config.id2label == dict(enumerate(TAGS))
    assert torch.equal(logits(again.model), logits(made.model))
    with pytest.raises(ValueError, match="to be token_classification or base for the adapter"):
        load(tmp_path / "adapter", head="classification")


@pytest.mark.parametrize("model_type", [name for name in FAMILIES if name not in WITH])
def test_a_family_without_one_is_named(model_type, tmp_path):
    save_checkpoint(tmp_path, model_type, "lm")
    with pytest.raises(ValueError, match=f"has a {model_type} model for, but got token_classification; choose"):
        load(tmp_path, head="token_classification", labels=3)

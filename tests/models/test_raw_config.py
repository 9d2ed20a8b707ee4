"""Configurations as written; the text model inside a multimodal checkpoint such as Gemma 3, read as if alone."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForImageTextToText

from babelscope.models.adapters import lora, save_adapted
from babelscope.models.load import load
from babelscope.models.raw_config import read_family_of_checkpoint
from babelscope.models.table import read_table
from tests.models.tiny import DEPTH, save_checkpoint, tiny_config, tiny_inputs, tiny_tokenizer

VISION = {
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "image_size": 28,
    "patch_size": 14,
}
WRAPPED = {"gemma3": ("gemma3_text", "siglip_vision_model"), "mistral3": ("mistral", "pixtral")}


@pytest.fixture(scope="module", params=WRAPPED)
def wrapped(request, tmp_path_factory):
    """A folder, and the whole model in it."""
    text, vision = WRAPPED[request.param]
    config = AutoConfig.for_model(
        request.param, text_config=tiny_config(text).to_dict(), vision_config={"model_type": vision, **VISION}
    )
    torch.manual_seed(0)
    model = AutoModelForImageTextToText.from_config(config).eval()
    folder = tmp_path_factory.mktemp(request.param)
    model.save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return folder, model


def test_states_and_predictions_are_those_of_the_whole(wrapped):
    folder, whole = wrapped
    inputs = tiny_inputs()
    expected = whole(**inputs, output_hidden_states=True)
    attended = inputs["attention_mask"].bool()
    found = load(folder, head="lm")
    got = found.model(**inputs, output_hidden_states=True)
    torch.testing.assert_close(got.logits[attended], expected.logits[attended])
    base = load(folder)
    assert base.parts.family.model_type == WRAPPED[whole.config.model_type][0]
    assert len(base.parts.blocks) == DEPTH
    states = base.model(**inputs, output_hidden_states=True).hidden_states
    for mine, theirs in zip(states, expected.hidden_states, strict=True):
        torch.testing.assert_close(mine[attended], theirs[attended])


@pytest.mark.parametrize("head", ["base", "classification", "lm"])
def test_what_is_saved_is_a_text_model_of_its_own(wrapped, head, tmp_path):
    found = load(wrapped[0], head=head, labels=5 if head == "classification" else None)
    found.model.save_pretrained(tmp_path)
    found.tokenizer.save_pretrained(tmp_path)
    again = load(tmp_path, head=head, new_head=False)
    assert type(again.model) is type(found.model)
    weights = found.model.state_dict()
    assert weights.keys() == again.model.state_dict().keys()
    assert all(torch.equal(weight, weights[name]) for name, weight in again.model.state_dict().items())
    assert getattr(again.model.config, "num_labels", None) == getattr(found.model.config, "num_labels", None)
    assert type(again.model).from_pretrained(tmp_path).config.model_type == found.parts.family.model_type


def test_table_and_family(wrapped):
    folder, whole = wrapped
    table = read_table(folder)
    assert torch.equal(table.weight, whole.get_input_embeddings().weight)
    assert table.tied
    assert table.model_type == read_family_of_checkpoint(folder).model_type == WRAPPED[whole.config.model_type][0]


def test_newer_names_and_an_untied_head(wrapped, tmp_path):
    folder, whole = wrapped
    weights = load_file(folder / "model.safetensors")
    renamed = {name.replace("language_model.model.", "model.language_model."): w for name, w in weights.items()}
    assert set(renamed) != set(weights)
    save_file(
        {**renamed, "lm_head.weight": torch.zeros(whole.get_input_embeddings().weight.shape)},
        tmp_path / "model.safetensors",
        {"format": "pt"},
    )
    written = json.loads((folder / "config.json").read_text())
    written["text_config"]["tie_word_embeddings"] = written["tie_word_embeddings"] = False
    (tmp_path / "config.json").write_text(json.dumps(written))
    tiny_tokenizer().save_pretrained(tmp_path)
    found = load(tmp_path, head="lm")
    assert not found.parts.tied
    assert not found.parts.lm_head.weight.any()
    assert torch.equal(found.parts.tokens.weight, whole.get_input_embeddings().weight)
    assert read_table(tmp_path).tied is False


def test_a_text_model_that_nobody_knows(wrapped, tmp_path):
    written = json.loads((wrapped[0] / "config.json").read_text())
    written["text_config"]["model_type"] = "qwen9"
    (tmp_path / "config.json").write_text(json.dumps(written))
    with pytest.raises(ValueError, match=f"`model_type` to be one of .*, but got '{written['model_type']}'"):
        load(tmp_path)


def test_family_of_a_checkpoint_of_adapters_and_of_a_run(tmp_path):
    folder = save_checkpoint(tmp_path / "mt5", "mt5", "lm")
    assert read_family_of_checkpoint(folder).model_type == "mt5"
    save_adapted(load(folder, head="lm", adapter=lora).model, tmp_path / "run" / "model")
    assert read_family_of_checkpoint(tmp_path / "run" / "model").objective == "span"
    (tmp_path / "run" / "manifest.json").write_text("{}")
    assert read_family_of_checkpoint(tmp_path / "run").model_type == "mt5"


def test_a_family_without_a_configuration(tmp_path):
    with pytest.raises(ValueError, match=r"config\.json"):
        read_family_of_checkpoint(tmp_path)
    with pytest.raises(ValueError, match=r"`model\.checkpoint`"):
        read_family_of_checkpoint("./nowhere")

import json
from functools import partial

import pytest
import torch
from transformers import AutoConfig
from transformers.utils import logging

from babelscope.models.adapters import lora
from babelscope.models.families import FAMILIES
from babelscope.models.load import load
from babelscope.models.policies import FreezePolicy, early
from tests.models.tiny import (
    ALL_HEADS,
    LABELS,
    NO_CLASSIFIER,
    TRANSLATORS,
    save_checkpoint,
    tiny_inputs,
    tiny_model,
    tiny_tokenizer,
)


@pytest.mark.parametrize(("model_type", "head"), ALL_HEADS)
def test_a_language_model_loads_for_every_task(model_type, head, tmp_path):
    save_checkpoint(tmp_path, model_type, "lm")
    loaded = load(tmp_path, head=head, labels=LABELS)
    assert (loaded.parts.lm_head is not None) == (head == "lm")
    assert bool(loaded.parts.head) == (head != "base")
    assert loaded.parts.decoder is None or head != "base"
    if head == "classification":
        assert loaded.model.config.num_labels == LABELS
    original = tiny_model(model_type, "lm")
    assert torch.equal(loaded.parts.tokens.weight, original.get_input_embeddings().weight)
    assert {p.dtype for p in loaded.model.parameters()} == {torch.float32}


@pytest.mark.parametrize("model_type", TRANSLATORS)
def test_a_translation_model_is_no_language_model(model_type, tmp_path):
    save_checkpoint(tmp_path, model_type, "lm")
    others = "base or classification" if model_type == "mbart" else "base"  # of these, only mBART has a classifier
    with pytest.raises(ValueError, match=f"to be {others} for a {model_type} model, .*but got lm; .*ablation=null"):
        load(tmp_path, head="lm")


@pytest.mark.parametrize("model_type", ["mt5", "xlm-roberta", "bloom", "llama"])
def test_tying_survives_loading(model_type, tmp_path):
    save_checkpoint(tmp_path, model_type, "lm")
    loaded = load(tmp_path, head="lm")
    assert loaded.parts.tied == (model_type != "llama")
    assert loaded.parts.stack.get_input_embeddings().weight is loaded.parts.tokens.weight


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_the_dtype_is_the_one_asked_for_not_the_files(dtype, tmp_path):
    tiny_model("llama").half().save_pretrained(tmp_path)
    tiny_tokenizer().save_pretrained(tmp_path)
    loaded = load(tmp_path, dtype=dtype)
    assert {p.dtype for p in loaded.model.parameters()} == {getattr(torch, dtype)}


@pytest.mark.parametrize("model_type", ["mt5", "umt5"])
def test_float16_overflows_in_mt5(model_type, tmp_path):
    save_checkpoint(tmp_path, model_type)
    with pytest.raises(ValueError, match=rf"of a {model_type} model .* but got float16, .* use model.dtype=bfloat16"):
        load(tmp_path, dtype="float16")
    load(tmp_path, dtype="bfloat16")


@pytest.mark.parametrize("model_type", NO_CLASSIFIER)
def test_a_family_without_a_classifier_is_named(model_type, tmp_path):
    save_checkpoint(tmp_path, model_type, "lm")
    other = "a model of another family; this one can be probed" if model_type in TRANSLATORS else "lm, or"
    message = f"one that transformers has a {model_type} model for, but got classification; choose {other}"
    with pytest.raises(ValueError, match=message):
        load(tmp_path, head="classification", labels=3)


def test_names_of_classes_go_where_the_model_is_saved(tmp_path):
    save_checkpoint(tmp_path / "base", "xlm-roberta", "lm")
    load(tmp_path / "base", head="classification", labels=("health", "sports", "travel")).model.save_pretrained(
        tmp_path / "own"
    )
    config = AutoConfig.from_pretrained(tmp_path / "own")
    assert config.id2label == {0: "health", 1: "sports", 2: "travel"}
    assert config.label2id == {"health": 0, "sports": 1, "travel": 2}
    assert config.num_labels == 3


@pytest.mark.parametrize("argument", [{"dtype": "fp32"}, {"head": "topics"}])
def test_unknown_choices_are_refused(argument, tmp_path):
    save_checkpoint(tmp_path, "llama")
    with pytest.raises(ValueError, match=r"Expected `.*` to be .*, but got '(fp32|topics)'; choose one"):
        load(tmp_path, **argument)


def test_adapters_come_before_freezing(tmp_path):
    save_checkpoint(tmp_path, "xlm-roberta", "lm")
    loaded = load(
        tmp_path,
        head="classification",
        labels=LABELS,
        adapter=partial(lora, r=2),
        freeze=partial(early, blocks_frozen=2),
    )
    rows = {row.part: row for row in loaded.trainable.rows}
    assert rows["inputs"].trainable == rows["block 0"].trainable == rows["block 1"].trainable == 0
    assert 0 < rows["block 2"].trainable < rows["block 2"].parameters
    assert rows["head"].trainable > 0


def test_a_policy_may_be_an_object(tmp_path):
    save_checkpoint(tmp_path, "bloom", "lm")
    loaded = load(tmp_path, freeze=FreezePolicy(blocks=[[-1, None]]))
    assert [row.part for row in loaded.trainable.rows if not row.trainable] == ["block 3"]


def test_a_row_may_be_given_for_an_unknown_model_type(tmp_path):
    save_checkpoint(tmp_path, "mistral")
    row = type(FAMILIES["llama"])(**{**vars(FAMILIES["llama"]), "model_type": "mistral"})
    assert load(tmp_path, family=row).parts.family is row


def test_the_base_model_gives_the_states_of_the_saved_one(tmp_path):
    save_checkpoint(tmp_path, "bloom", "lm")
    loaded = load(tmp_path, head="classification", labels=2)
    with torch.no_grad():
        found = loaded.parts.stack(**tiny_inputs())[0]
        assert torch.equal(found, tiny_model("bloom", "lm").base_model(**tiny_inputs())[0])


def test_loading_is_silent_and_leaves_no_trace(tmp_path, capfd):
    save_checkpoint(tmp_path, "bert", "lm")
    capfd.readouterr()
    before = logging.get_verbosity(), logging.is_progress_bar_enabled()
    load(tmp_path, head="classification", labels=2)
    assert capfd.readouterr() == ("", "")
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before


def test_weights_that_nobody_trains_must_be_there(tmp_path):
    save_checkpoint(tmp_path, "mt5", "base")
    load(tmp_path, head="base")
    with pytest.raises(
        ValueError, match=r"hold all weights of MT5ForConditionalGeneration, but .* lacks \d+, among them d"
    ):
        load(tmp_path, head="lm")


def test_an_architecture_that_does_not_fit_is_refused(tmp_path):
    save_checkpoint(tmp_path, "bert")
    config = json.loads((tmp_path / "config.json").read_text()) | {"num_hidden_layers": 6}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match=r"hold all weights of BertModel, but .* among them encoder.layer.4"):
        load(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 4, "intermediate_size": 50}))
    with pytest.raises(
        ValueError, match=r"encoder\.layer\.0\.intermediate\.dense\.bias is \(48,\) and not \(50,\)"
    ) as caught:
        load(tmp_path)
    assert "\n" not in str(caught.value)


def tear(file):
    file.write_bytes(file.read_bytes()[:1000])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: tear(folder / "model.safetensors"), "to have weights that can be read, but got"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"x"), "to have weights that can be read, but got"),
        (lambda folder: (folder / "model.safetensors").unlink(), "to have weights that can be read, but got"),
        (lambda folder: (folder / "tokenizer.json").write_text("{"), "to have a tokenizer that can be read, but got"),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_line(damage, message, tmp_path):
    save_checkpoint(tmp_path, "xlm-roberta")
    damage(tmp_path)
    with pytest.raises(ValueError, match=message) as caught:
        load(tmp_path)
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_an_unreachable_hub_id_is_refused_in_one_line(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ValueError, match=r"Expected `model\.checkpoint` .*nobody/nothing.*network") as caught:
        load("nobody/nothing")
    assert "\n" not in str(caught.value)


def test_a_classifier_of_other_labels_is_refused(tmp_path):
    save_checkpoint(tmp_path, "xlm-roberta", "classification", labels=3)
    assert load(tmp_path, head="classification").model.config.num_labels == 3
    with pytest.raises(ValueError, match=r"classifier\.out_proj\.bias is \(3,\) and not \(7,\); .* number of labels"):
        load(tmp_path, head="classification", labels=7)


def test_the_tokenizer_may_lie_elsewhere(tmp_path):
    checkpoint, elsewhere = tmp_path / "step", tmp_path / "final"
    tiny_model("bloom").save_pretrained(checkpoint)
    save_checkpoint(elsewhere, "bloom")
    with pytest.raises(ValueError, match="a tokenizer that can be read"):
        load(checkpoint)
    loaded = load(checkpoint, tokenizer=str(elsewhere))
    assert loaded.tokenizer.get_vocab() == tiny_tokenizer().get_vocab()
    with pytest.raises(ValueError, match=r"Expected `model\.tokenizer` to be .* but got '.*nowhere'"):
        load(checkpoint, tokenizer=str(tmp_path / "nowhere"))


@pytest.mark.parametrize("head", ["classification", "lm"])
def test_a_decoder_whose_start_nobody_names_begins_with_padding(head, tmp_path):
    folder = save_checkpoint(tmp_path / "tiny", "t5", head)
    config = json.loads((folder / "config.json").read_text())
    del config["decoder_start_token_id"]  # as a plain T5Config saves it
    (folder / "config.json").write_text(json.dumps(config))
    for file in folder.glob("generation_config.json"):
        file.unlink()
    model = load(folder, head=head).model
    ids = torch.tensor([[10, 11, 12, 2]])
    labels = torch.tensor([1]) if head == "classification" else ids
    assert model(input_ids=ids, labels=labels).loss.isfinite()
    assert model.config.decoder_start_token_id == model.config.pad_token_id

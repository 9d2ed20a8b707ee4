import json

import pytest
import torch

from babelscope.data.encoding import encode
from babelscope.models.load import load
from babelscope.models.parts import parts_of
from babelscope.models.tokenizer import share_length, share_padding
from tests.models.tiny import VOCABULARY, save_checkpoint, tiny_model, tiny_tokenizer


def without(*names):
    tokenizer = tiny_tokenizer()
    for name in names:
        setattr(tokenizer, name, None)
    return tokenizer


@pytest.mark.parametrize(("missing", "token"), [(["pad_token"], "</s>"), (["pad_token", "eos_token"], "<unk>")])
def test_a_missing_padding_token_is_replaced_without_growing_the_table(missing, token):
    tokenizer, model = without(*missing), tiny_model("llama", pad_token_id=None)
    share_padding(tokenizer, model)
    assert tokenizer.pad_token == token
    assert model.config.pad_token_id == tokenizer.pad_token_id
    assert len(model.get_input_embeddings().weight) == VOCABULARY
    assert len(tokenizer) == VOCABULARY


def test_a_padding_token_outside_the_table_is_replaced():
    tokenizer, model = tiny_tokenizer(), tiny_model("llama")
    tokenizer.add_special_tokens({"pad_token": "[PAD]"})
    assert tokenizer.pad_token_id == VOCABULARY
    share_padding(tokenizer, model)
    assert tokenizer.pad_token == "</s>"


def test_a_tokenizer_without_any_special_token_is_refused():
    with pytest.raises(ValueError, match=r"to have a padding, end-of-sentence or unknown token .* set pad_token in"):
        share_padding(without("pad_token", "eos_token", "unk_token"), tiny_model("llama"))


def test_a_loaded_classifier_can_run_on_a_padded_batch(tmp_path):
    save_checkpoint(tmp_path, "llama", "lm", pad_token_id=None)
    without("pad_token").save_pretrained(tmp_path)
    loaded = load(tmp_path, head="classification", labels=3)
    batch = loaded.tokenizer(["one", "a longer one"], padding=True, return_tensors="pt")
    assert batch["attention_mask"][0, -1] == 0, "padded on the right"
    with torch.no_grad():
        assert loaded.model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits.shape == (2, 3)


def test_text_of_any_script_has_tokens(tmp_path):
    save_checkpoint(tmp_path, "bert")
    tokenizer = load(tmp_path).tokenizer
    ids = tokenizer("ไทย ab")["input_ids"]
    assert ids[0] == 0
    assert ids[-1] == 2
    assert tokenizer.unk_token_id not in ids
    assert tokenizer.decode(ids, skip_special_tokens=True) == "ไทย ab"


@pytest.mark.parametrize("model_type", ["bert", "xlm-roberta", "mt5", "gpt2"])
def test_a_tokenizer_without_a_vocabulary_is_refused(model_type, tmp_path):
    bare, whole = tmp_path / "bare", tmp_path / "whole"
    tiny_model(model_type).save_pretrained(bare)
    save_checkpoint(whole, model_type)
    with pytest.raises(
        ValueError, match=r"`model\.checkpoint` to have .*bare has no .*; set model\.tokenizer"
    ) as caught:
        load(bare)
    assert "\n" not in str(caught.value)
    with pytest.raises(
        ValueError, match=r"`model\.tokenizer` to have a tokenizer, but .*bare has no vocabulary of one"
    ):
        load(whole, tokenizer=str(bare))
    load(bare, tokenizer=str(whole))


def test_texts_are_cut_on_the_right_whatever_was_saved(tmp_path):
    save_checkpoint(tmp_path, "bert")
    file = tmp_path / "tokenizer_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"truncation_side": "left"}))
    ids = load(tmp_path).tokenizer("abcdef", truncation=True, max_length=4)["input_ids"]
    assert ids == tiny_tokenizer()("ab")["input_ids"]


@pytest.mark.parametrize(
    ("model_type", "table"),
    [
        ("bert", {"max_position_embeddings": 64}),
        ("gpt2", {"n_positions": 64}),
        # counted from the row after that of padding, which is row 1
        ("roberta", {"max_position_embeddings": 66}),
        ("xlm-roberta", {"max_position_embeddings": 66}),
        ("xlm-roberta-xl", {"max_position_embeddings": 66}),
    ],
)
def test_texts_are_cut_at_what_the_model_can_read(model_type, table, tmp_path):
    save_checkpoint(tmp_path, model_type, **table)
    loaded = load(tmp_path)
    (text,) = encode(["a" * 100], loaded.tokenizer)
    assert len(text.ids) == 64
    with torch.no_grad():
        assert loaded.parts.stack(input_ids=torch.tensor([text.ids]))[0].shape[1] == 64


def test_a_lower_limit_of_the_tokenizer_holds():
    tokenizer = tiny_tokenizer()
    share_length(tokenizer, parts_of(tiny_model("bert")))
    share_length(tokenizer, parts_of(tiny_model("llama", max_position_embeddings=64)))
    assert tokenizer.model_max_length == 512

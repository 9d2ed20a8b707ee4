import pytest
import torch

from babelscope.models.load import load
from babelscope.models.tokenizer import share_padding
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
    loaded = load(tmp_path, task="topic", labels=3)
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

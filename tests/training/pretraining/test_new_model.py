import pytest
import torch

from babelscope.models.families import FAMILIES
from babelscope.training.pretraining.new_model import new_model, refuse_short, refuse_unfit
from tests.training.pretraining.test_pretrain import KINDS

SMALL = {kind: {"model_type": kind, **config} for kind, (config, _) in KINDS.items()}


@pytest.mark.parametrize("kind", SMALL)
def test_what_can_be_trained_is_taken(kind):
    refuse_unfit(SMALL[kind], ("0", "1", "3"))
    assert FAMILIES[kind].final_norm is None or refuse_unfit(SMALL[kind], ("final",)) is None


@pytest.mark.parametrize(
    ("kind", "change", "words"),
    [
        ("xlm-roberta", {"hidden_size": 17}, "config` .* model of xlm-roberta .*The hidden size"),
        ("xlm-roberta", {"hidden_size": 0}, r"config\.hidden_size` .* from 1, but got 0"),
        ("xlm-roberta", {"num_hidden_layers": 0}, r"config\.num_hidden_layers` .* from 1, but got 0"),
        ("mt5", {"d_model": 0}, r"config\.d_model` .* from 1, but got 0"),
        ("bloom", {"n_layer": 0}, r"config\.n_layer` .* from 1, but got 0"),
        ("bloom", {"hidden_size": "wide"}, "config` .*expected int"),
        ("xlm-roberta", {"num_attention_heads": 0}, "config` .*zero"),
        ("xlm-roberta", {"intermediate_size": 0}, r"config` .*the shape \(0, 16\)"),
        ("xlm-roberta", {"max_position_embeddings": 2}, r"config\.max_position_embeddings` to be at least 3"),
        ("llama", {"num_key_value_heads": 3}, "config` "),
        ("llama", {"hidden_act": "nope"}, "config` .*nope"),
        (
            "llama",
            {"hidden_size": 18, "num_attention_heads": 2, "num_key_value_heads": 2},
            "config` ",  # an odd head cannot be rotated, which only a forward pass notices
        ),
    ],
)
def test_what_cannot_is_one_line(kind, change, words):
    with pytest.raises(ValueError, match=rf"^Expected `model\.recipe\.{words}.*; (correct|raise) it\.$") as raised:
        refuse_unfit({**SMALL[kind], **change}, ("1",))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(("kind", "last"), [("xlm-roberta", "3"), ("bloom", "3, final")])
def test_layers_that_the_model_has_not(kind, last):
    with pytest.raises(ValueError, match=rf"`model\.recipe\.contrast_layers` .* 0, 1, 2, {last}, but got '9'; choose"):
        refuse_unfit(SMALL[kind], ("1", "9"))


def test_texts_longer_than_the_model_reads():
    model = new_model(SMALL["xlm-roberta"], size=10, special={"pad_token_id": 1})
    refuse_short(model, 128)
    with pytest.raises(
        ValueError, match=r"`model\.recipe\.config\.max_position_embeddings` to be at least 142, .* 130"
    ):
        refuse_short(model, 140)
    ids = torch.full((1, 128), 3)
    assert model(input_ids=ids).logits.shape == (1, 128, 10)


def test_ids_of_special_tokens_may_be_anywhere_in_the_vocabulary():
    refuse_unfit({**SMALL["llama"], "pad_token_id": 3000}, ("1",))

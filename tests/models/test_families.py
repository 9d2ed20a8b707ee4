import pytest

from babelscope.models.families import FAMILIES, Family, family_of


def test_rows_are_found_by_their_model_type():
    assert all(family_of(name).model_type == name for name in FAMILIES)
    assert {"xlm-roberta", "xlm-roberta-xl", "mt5", "bloom", "llama", "bert", "roberta"} <= set(FAMILIES)
    assert {"gpt2", "qwen2", "qwen3", "gemma2", "mistral"} <= set(FAMILIES)


def test_a_row_from_a_file_has_lists():
    row = {**vars(FAMILIES["bloom"]), "inputs": ["word_embeddings", "word_embeddings_layernorm"]}
    row["lora_targets"] = ["query_key_value"]
    assert Family(**row) == FAMILIES["bloom"]
    assert hash(Family(**row)) == hash(FAMILIES["bloom"])


def test_an_unknown_model_type_is_refused():
    with pytest.raises(ValueError, match=r"one of apertus, bert, .* but got 'unheard-of'; describe it by a row"):
        family_of("unheard-of")

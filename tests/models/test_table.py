import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from babelscope.models import table
from babelscope.models.adapters import save_adapted
from babelscope.models.families import FAMILIES, Family
from babelscope.models.load import load
from babelscope.models.table import read_table
from tests.models.tiny import VOCABULARY, WIDTH, save_checkpoint, tiny_model, tiny_tokenizer


def sharded(folder, model):
    model.save_pretrained(folder, max_shard_size="40KB")
    tiny_tokenizer().save_pretrained(folder)
    assert (folder / "model.safetensors.index.json").is_file()
    return folder


@pytest.mark.parametrize("model_type", sorted(FAMILIES))
@pytest.mark.parametrize("head", ["base", "lm"])
def test_it_is_the_input_embedding_of_every_family(model_type, head, tmp_path):
    model = tiny_model(model_type, head, depth=1)
    expected = model.get_input_embeddings().weight
    tied = None if model.get_output_embeddings() is None else model.get_output_embeddings().weight is expected
    for folder in (save_checkpoint(tmp_path / "one", model_type, head, depth=1), sharded(tmp_path / "many", model)):
        found = read_table(folder)
        assert torch.equal(found.weight, expected)
        assert found.name.endswith(f"{FAMILIES[model_type].tokens}.weight")
        assert (found.model_type, len(found.tokenizer)) == (model_type, VOCABULARY)
        assert found.tied == (model.config.tie_word_embeddings if tied is None else tied)


@pytest.mark.parametrize("tie", [True, False])
def test_tied_is_read_from_the_weights(tie, tmp_path):
    sharded(tmp_path, tiny_model("llama", "lm", depth=1, tie_word_embeddings=tie))
    assert read_table(tmp_path).tied is tie


def test_tables_stored_twice_are_compared_and_the_configuration_is_not_believed(tmp_path):
    save_checkpoint(tmp_path, "mt5", "lm", depth=1)
    weights = load_file(tmp_path / "model.safetensors")
    for output, tied in ((weights["shared.weight"].clone(), True), (torch.zeros(VOCABULARY, WIDTH), False)):
        save_file({**weights, "lm_head.weight": output}, tmp_path / "model.safetensors")
        assert read_table(tmp_path).tied is tied


def test_the_stored_type_is_kept_and_rows_are_mapped(tmp_path):
    tiny_model("bloom", depth=1).to(torch.bfloat16).save_pretrained(tmp_path)
    tiny_tokenizer().save_pretrained(tmp_path)
    weight = read_table(tmp_path).weight
    assert weight.dtype == torch.bfloat16
    assert weight.shape == (VOCABULARY, WIDTH)


def test_only_the_shard_with_the_table_is_opened(tmp_path, monkeypatch):
    sharded(tmp_path, tiny_model("bert", depth=2))
    shards = json.loads((tmp_path / "model.safetensors.index.json").read_text())["weight_map"]
    for shard in {*shards.values()} - {shards["embeddings.word_embeddings.weight"]}:
        (tmp_path / shard).unlink()
    read: list[str] = []
    monkeypatch.setattr(
        table, "_read", lambda found, file, name, own=table._read: read.append(name) or own(found, file, name)
    )
    assert read_table(tmp_path).weight.shape == (VOCABULARY, WIDTH)
    assert read == ["embeddings.word_embeddings.weight"]


def test_a_prefix_does_not_matter(tmp_path):
    save_checkpoint(tmp_path, "xlm-roberta", depth=1)
    weights = load_file(tmp_path / "model.safetensors")
    save_file({f"0.auto_model.{name}": tensor for name, tensor in weights.items()}, tmp_path / "model.safetensors")
    assert read_table(tmp_path).name == "0.auto_model.embeddings.word_embeddings.weight"


def test_an_encoder_that_was_saved_alone_has_its_own_name_for_it(tmp_path):
    save_checkpoint(tmp_path, "mt5", depth=1)
    weights = load_file(tmp_path / "model.safetensors")
    weights["encoder.embed_tokens.weight"] = weights.pop("shared.weight")
    save_file(weights, tmp_path / "model.safetensors")
    assert read_table(tmp_path).name == "encoder.embed_tokens.weight"


def test_a_table_of_positions_is_none(tmp_path):
    save_checkpoint(tmp_path, "gpt2", depth=1)
    weights = load_file(tmp_path / "model.safetensors")
    save_file({name: t for name, t in weights.items() if "wte" not in name}, tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match=r"no token table found in .*ends in wte\.weight; it has h\.0.* and \d+ more"):
        read_table(tmp_path)


def test_a_revision_and_a_row_of_ones_own(tmp_path):
    save_checkpoint(tmp_path / "step=1", "llama", depth=1)
    config = tmp_path / "step=1" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "model_type": "unheard-of"}))
    with pytest.raises(ValueError, match="but got 'unheard-of'"):
        read_table(tmp_path, revision="step=1")
    row = Family(**{**vars(FAMILIES["llama"]), "model_type": "unheard-of"})
    assert read_table(tmp_path, revision="step=1", family=row).weight.shape == (VOCABULARY, WIDTH)


def test_adapters_have_the_table_of_their_model(tmp_path):
    from babelscope.models.adapters import lora

    base = save_checkpoint(tmp_path / "base", "bloom", depth=1)
    model = load(base, adapter=lora).model
    save_adapted(model, tmp_path / "adapted")
    assert torch.equal(read_table(tmp_path / "adapted").weight, read_table(base).weight)
    file = tmp_path / "adapted" / "adapter_model.safetensors"
    save_file({**load_file(file), "base_model.model.word_embeddings.weight": torch.zeros(2, 2)}, file)
    with pytest.raises(ValueError, match=r"leave the token table as it is, but .* merge it"):
        read_table(tmp_path / "adapted")
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"adapter_model\.safetensors .* cannot be read .*; save the adapter again"):
        read_table(tmp_path / "adapted")


def tear(folder):
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])


def quantize(folder):
    file = folder / "model.safetensors"
    save_file({**load_file(file), "embeddings.word_embeddings.weight": torch.zeros(4, 4, dtype=torch.int8)}, file)


def twice(folder):
    table_ = torch.zeros(4, 4)
    names = ("a.embeddings.word_embeddings.weight", "b.embeddings.word_embeddings.weight")
    save_file({name: table_.clone() for name in names}, folder / "model.safetensors")


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (tear, "model.safetensors cannot be read: "),
        (
            lambda folder: (folder / "model.safetensors").unlink(),
            r"it has neither model\.safetensors nor .*; it has con",
        ),
        (lambda folder: (folder / "model.safetensors").write_bytes(b""), "cannot be read"),
        (lambda folder: save_file({"a": torch.zeros(2)}, folder / "model.safetensors"), r"it has a\)"),
        (quantize, r"is torch\.int8 of shape \(4, 4\)\); give a model that is not quantized"),
        (twice, "could all be it"),
        (lambda folder: (folder / "model.safetensors.index.json").write_text("{"), r"index\.json cannot be read"),
        (
            lambda folder: (folder / "model.safetensors.index.json").write_text(
                '{"weight_map": {"embeddings.word_embeddings.weight": "model-2.safetensors"}}'
            ),
            r"names model-2\.safetensors, which is missing",
        ),
        (
            lambda folder: (folder / "model.safetensors.index.json").write_text(
                '{"weight_map": {"x.embeddings.word_embeddings.weight": "model.safetensors"}}'
            ),
            r"model\.safetensors lacks x\.emb",
        ),
    ],
)
def test_what_cannot_be_read_is_one_line(break_it, message, tmp_path):
    save_checkpoint(tmp_path, "bert", depth=1)
    break_it(tmp_path)
    with pytest.raises(ValueError, match="no token table found") as caught:
        read_table(tmp_path)
    assert "\n" not in str(caught.value)
    assert caught.match(message)

import stat

import pytest
import torch
from peft import AutoPeftModelForSequenceClassification
from transformers import AutoModel, AutoModelForSequenceClassification, AutoTokenizer

from babelscope.models import parts_of
from babelscope.models.adapters import lora
from babelscope.models.load import load
from babelscope.training import ExportModel
from babelscope.training.export import save_folder
from tests.models.tiny import save_checkpoint, tiny_inputs, tiny_model, tiny_tokenizer
from tests.training.runs import make_data, make_module, make_trainer, same, weights_of


def exported(folder, model, **options):
    export = ExportModel(tiny_tokenizer(), folder=folder, **options)
    make_trainer(folder, export).fit(make_module(model), make_data())
    return folder / "model"


def names(folder):
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("model_type", ["xlm-roberta", "mt5", "bloom", "llama"])
def test_any_tool_loads_what_was_exported(model_type, tmp_path):
    model = tiny_model(model_type, "classification")
    folder = exported(tmp_path, model)
    theirs = AutoModelForSequenceClassification.from_pretrained(folder)
    ours = load(folder, head="classification")
    assert same(weights_of(model), weights_of(theirs))
    assert same(weights_of(model), weights_of(ours.model))
    assert ours.tokenizer("Wir lesen.")["input_ids"] == tiny_tokenizer()("Wir lesen.")["input_ids"]
    assert len(AutoTokenizer.from_pretrained(folder)) == len(tiny_tokenizer())
    if model_type != "mt5":
        bare = AutoModel.from_pretrained(folder)
        shared = {name: weight for name, weight in weights_of(bare).items() if "pooler" not in name}
        assert same(weights_of(model.base_model), shared)
    assert names(tmp_path) == {"model"}


def test_adapters_are_exported_as_adapters(tmp_path):
    base = save_checkpoint(tmp_path / "base", "llama", "classification")
    model = load(base, head="classification", adapter=lora).model
    folder = exported(tmp_path / "run", model)
    assert not (folder / "model.safetensors").exists()
    ours, theirs = (
        load(folder, head="classification").model,
        AutoPeftModelForSequenceClassification.from_pretrained(folder),
    )
    with torch.no_grad():
        logits = model.eval()(**tiny_inputs()).logits
        assert torch.equal(ours.eval()(**tiny_inputs()).logits, logits)
        assert torch.equal(theirs.eval()(**tiny_inputs()).logits, logits)
    base_logits = load(base, head="classification").model.eval()(**tiny_inputs()).logits
    assert not torch.allclose(base_logits, logits)


def test_steps_stand_beside_the_last_model(tmp_path):
    model = tiny_model("bloom", "classification")
    folder = exported(tmp_path, model, every_n_epochs=1)
    assert names(folder) >= {"step=4", "step=8", "config.json", "model.safetensors", "tokenizer.json"}
    last, half = (weights_of(load(folder, head="classification", revision=step).model) for step in ("step=8", "step=4"))
    assert same(last, weights_of(model))
    assert not same(half, last)
    assert not [name for name in names(folder) if name.startswith(".")]


def test_others_may_read_it(tmp_path):
    folder = exported(tmp_path, tiny_model("bloom", "classification"), every_n_epochs=2)
    assert stat.S_IMODE(folder.stat().st_mode) == stat.S_IMODE((folder / "step=8").stat().st_mode)
    plain = tmp_path / "plain"
    plain.mkdir()
    assert stat.S_IMODE((folder / "step=8").stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


def test_what_fails_half_way_leaves_nothing(tmp_path, monkeypatch):
    model, folder = tiny_model("bloom"), tmp_path / "model"

    def fail(place):
        (place / "config.json").write_text("{")
        raise OSError("No space left on device")

    monkeypatch.setattr(model, "save_pretrained", fail)
    with pytest.raises(OSError, match="No space left"):
        save_folder(model, tiny_tokenizer(), folder)
    assert names(tmp_path) == set()


def test_what_fails_half_way_leaves_the_old_one(tmp_path, monkeypatch):
    model, folder = tiny_model("bloom"), tmp_path / "model"
    save_folder(model, tiny_tokenizer(), folder)
    kept = {path.name: path.read_bytes() for path in folder.iterdir()}
    tokenizer = tiny_tokenizer()

    def fail(place):
        raise OSError("No space left on device")

    monkeypatch.setattr(tokenizer, "save_pretrained", fail)
    with pytest.raises(OSError, match="No space left"):
        save_folder(tiny_model("bloom", seed=1), tokenizer, folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == kept
    assert names(tmp_path) == {"model"}
    save_folder(tiny_model("bloom", seed=1), tiny_tokenizer(), folder)
    assert not torch.equal(parts_of(load(folder).model).tokens.weight, parts_of(model).tokens.weight)


def test_a_wrong_attribute_is_refused_before_training(tmp_path):
    export = ExportModel(tiny_tokenizer(), folder=tmp_path, attribute="net")
    trainer = make_trainer(tmp_path, export)
    with pytest.raises(ValueError, match=r"but got 'net'; its submodules with a config: model"):
        trainer.fit(make_module(tiny_model("bloom", "classification")), make_data())
    assert trainer.global_step == 0


@pytest.mark.parametrize("n", [-1, 0.5])
def test_epochs_to_keep_are_counted_from_0(n, tmp_path):
    with pytest.raises(ValueError, match=rf"`every_n_epochs` to be a whole number from 0, but got {n}; 0 keeps the"):
        ExportModel(tiny_tokenizer(), folder=tmp_path, every_n_epochs=n)

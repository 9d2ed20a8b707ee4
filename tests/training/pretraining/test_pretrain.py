import re
from dataclasses import replace
from functools import partial

import pytest
import pytorch_lightning as pl
import torch

from babelscope.data import vocabulary
from babelscope.data.lab import lab_text
from babelscope.models.fingerprint import weights_fingerprint
from babelscope.models.load import load
from babelscope.training.pretraining.new_tokenizer import new_tokenizer
from babelscope.training.pretraining.pretrain import Pretrainer, pretrain
from babelscope.training.pretraining.recipe import Recipe

CORPUS = lab_text(["eng_Latn", "rus_Cyrl", "zho_Hans"], sentences=120)
SMALL = {"hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 32}
KINDS = {
    "xlm-roberta": ({**SMALL, "max_position_embeddings": 130}, vocabulary.xlmr_unigram),
    "mt5": ({"d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 3, "num_heads": 2}, vocabulary.mt5_unigram),
    "bloom": ({"hidden_size": 16, "n_layer": 3, "n_head": 2}, vocabulary.bloom_bytes),
    "llama": ({**SMALL, "max_position_embeddings": 128}, vocabulary.llama_bpe),
}
TRAINER = partial(
    pl.Trainer,
    accelerator="cpu",
    logger=False,
    enable_checkpointing=False,
    enable_model_summary=False,
    enable_progress_bar=False,
)


def recipe(model_type="xlm-roberta", **changes):
    config, tokenizer = KINDS[model_type]
    made = Recipe(
        config={"model_type": model_type, **config},
        tokenizer=partial(tokenizer, size=700),
        steps=6,
        pairs=6,
        texts=4,
        contrast_layers=("2",),
        keep=(0, 3),
    )
    return replace(made, **changes)


@pytest.mark.parametrize("model_type", KINDS)
def test_a_checkpoint_of_every_family_loads_like_any_other(model_type, tmp_path):
    folder = pretrain(recipe(model_type), CORPUS, tmp_path / "made", trainer=TRAINER)
    for task in ("base", "classification", "lm"):
        loaded = load(folder, head=task, labels=7 if task == "classification" else None)
        assert loaded.parts.family.model_type == model_type
        assert len(loaded.parts.blocks) == 3
    steps = [load(folder, revision=f"step={n}") for n in (0, 3)]
    assert len({weights_fingerprint(x.model) for x in [*steps, load(folder)]}) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["made"]


def test_the_same_seed_gives_the_same_weights_and_another_one_others(tmp_path):
    made = [
        weights_fingerprint(load(pretrain(recipe(), CORPUS, tmp_path / str(i), seed=seed, trainer=TRAINER)).model)
        for i, seed in enumerate((0, 0, 1))
    ]
    assert made[0] == made[1] != made[2]


def test_the_contrastive_term_brings_translations_together(tmp_path):
    def distance(**changes):
        trained = recipe(steps=60, learning_rate=5e-3, keep=(), **changes)
        loaded = load(pretrain(trained, CORPUS, tmp_path / str(changes), trainer=TRAINER))
        states = []
        for language in ("eng_Latn", "rus_Cyrl"):
            inputs = loaded.tokenizer(list(CORPUS.texts[language][:30]), padding=True, return_tensors="pt")
            with torch.no_grad():
                hidden = loaded.model(**inputs, output_hidden_states=True).hidden_states[2]
            mask = inputs["attention_mask"][..., None]
            states.append(torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1), dim=1))
        similarity = states[0] @ states[1].T
        return float(similarity.diag().mean() - similarity.mean())

    assert distance(contrast=4.0) > distance(contrast=0.0) + 0.02


def test_a_failure_leaves_nothing(tmp_path):
    broken = {**KINDS["xlm-roberta"][0], "model_type": "xlm-roberta", "num_attention_heads": 5}
    with pytest.raises(ValueError, match="heads"):
        pretrain(recipe(config=broken), CORPUS, tmp_path / "made", trainer=TRAINER)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("values", [{"contrast": 1e300}, {"temperature": 1e-45}])
def test_a_model_that_is_not_finite_is_not_kept(values, tmp_path):
    with pytest.raises(ValueError, match=r"`model\.recipe` to keep .*finite.*; lower its learning_rate .*") as raised:
        pretrain(recipe(**{"keep": (0, 1), **values}), CORPUS, tmp_path / "made", trainer=TRAINER)
    assert "\n" not in str(raised.value)
    assert not list(tmp_path.iterdir())


def test_weights_that_the_last_step_made_infinite(tmp_path, monkeypatch):
    def spoil(self):
        next(self.parameters()).data.view(-1)[0] = float("inf")

    monkeypatch.setattr(Pretrainer, "on_train_end", spoil)
    with pytest.raises(ValueError, match=r"got NaN or infinite values in .* at the end; lower"):
        pretrain(recipe(), CORPUS, tmp_path / "made", trainer=TRAINER)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("model_type", ["xlm-roberta", "mt5"])  # the others make as many tokens as they need
@pytest.mark.parametrize("size", [0, 10])
def test_a_vocabulary_without_room_names_a_size_that_has(model_type, size, tmp_path):
    tokenizer = KINDS[model_type][1]
    with pytest.raises(ValueError, match=r"`model\.recipe\.tokenizer\.size` to leave room .* got \d+; write") as raised:
        pretrain(recipe(model_type, tokenizer=partial(tokenizer, size=size)), CORPUS, tmp_path / "a", trainer=TRAINER)
    assert not list(tmp_path.iterdir())
    enough = int(re.search(r"size=(\d+)", str(raised.value))[1])
    new_tokenizer(partial(tokenizer, size=enough), [text for texts in CORPUS.texts.values() for text in texts])


def test_texts_longer_than_the_model_reads(tmp_path):
    config = {**KINDS["xlm-roberta"][0], "model_type": "xlm-roberta", "max_position_embeddings": 8}
    with pytest.raises(
        ValueError, match=r"`model\.recipe\.config\.max_position_embeddings` to be at least \d+.* got 8"
    ):
        pretrain(recipe(config=config), CORPUS, tmp_path / "made", trainer=TRAINER)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("change", [{"steps": 7}, {"learning_rate": 1e-4}, {"tokenizer": KINDS["llama"][1]}])
def test_whatever_changes_the_weights_changes_the_fingerprint(change):
    base = recipe()
    weights = {"eng_Latn": 1.0}
    assert replace(base, **change).fingerprint(CORPUS, weights, 0) != base.fingerprint(CORPUS, weights, 0)
    assert base.fingerprint(CORPUS, {"eng_Latn": 0.5}, 0) != base.fingerprint(CORPUS, weights, 0)
    assert base.fingerprint(CORPUS, weights, 1) != base.fingerprint(CORPUS, weights, 0)
    assert recipe().fingerprint(CORPUS, weights, 0) == base.fingerprint(CORPUS, weights, 0)

import pandas as pd
import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint

from babelscope.models.load import load
from babelscope.models.parts import parts_of
from babelscope.report.table import read
from babelscope.states import GATE, embed, prepare
from babelscope.states.pool import mean
from babelscope.training.export import ExportModel
from babelscope.training.neuron_scores import NeuronScores
from tests.models.tiny import save_checkpoint, tiny_model, tiny_tokenizer
from tests.training.runs import (
    LANGUAGES,
    PROBED,
    Kill,
    StopError,
    make_data,
    make_module,
    make_trainer,
    same,
    weights_of,
)

STEPS = 4


def scorer(pooled, start):
    """Mean activation by language; of the neurons on which it is above all others, the share kept."""
    layers = {
        layer: x.reshape(len(pooled.names), len(pooled.ids), -1).mean(dim=1) for layer, x in pooled.layers.items()
    }
    highest = torch.stack([x == x.max(dim=0).values for x in layers.values()], dim=1)
    masks = dict(zip(pooled.names, highest, strict=True))
    rows = [row("level", layer, code, x[k]) for layer, x in layers.items() for k, code in enumerate(pooled.names)]
    rows += [row("level", layer, "", x) for layer, x in layers.items()]
    kept = {code: 1.0 if start is None else (mask & start[code]).sum() / mask.sum() for code, mask in masks.items()}
    rows += [row("kept", "", code, torch.as_tensor(value)) for code, value in kept.items()]
    rows += [row("kept", "", "", torch.tensor([float(value) for value in kept.values()]))]
    return rows, masks


def row(metric, layer, language, value):
    return {"metric": metric, "layer": layer, "language": language, "other": "", "value": float(value.float().mean())}


def neuron_scores(**options):
    return NeuronScores(scorer, PROBED, tiny_tokenizer(), **{"max_tokens": 512, **options})


def fit(folder, *callbacks, **options):
    base = save_checkpoint(folder / "base", "xlm-roberta", "topic")
    loaded = load(base, task="topic")
    pl.seed_everything(0, verbose=False)
    make_trainer(folder, *callbacks, **options).fit(make_module(loaded.model), make_data())
    return weights_of(loaded.model)


def points(rows):
    return sorted({(row["step"], row["epoch"]) for row in rows})


def test_rows_at_step_0_and_every_validation_epoch(tmp_path):
    scores = neuron_scores(folder=tmp_path / "run", run="r")
    fit(tmp_path, scores, num_sanity_val_steps=1)
    assert points(scores.rows) == [(0, 0), (STEPS, 1), (2 * STEPS, 2)]
    assert {row["layer"] for row in scores.rows} == {"", "1", "2", "3", "4"}
    assert {row["language"] for row in scores.rows} == {"", *LANGUAGES}
    assert {row["run"] for row in scores.rows} == {"r"}
    kept = [row["value"] for row in scores.rows if row["metric"] == "kept" and not row["language"]]
    assert kept[0] == 1 > kept[1]
    assert len(read(tmp_path / "run")) == len(scores.rows)
    assert (tmp_path / "run" / "results" / "neurons-00000004.parquet").is_file()
    assert (tmp_path / "run" / "states" / "neurons.safetensors").is_file()


def test_a_training_without_validation_is_measured_at_the_end_of_its_epochs(tmp_path):
    scores = neuron_scores(every_n_epochs=2)
    fit(tmp_path, scores, limit_val_batches=0)
    assert points(scores.rows) == [(0, 0), (2 * STEPS, 2)]


def test_training_is_as_without_it(tmp_path):
    alone = fit(tmp_path / "alone")
    assert same(alone, fit(tmp_path / "scored", neuron_scores()))


def test_online_is_offline(tmp_path):
    scores = neuron_scores(reading="gate")
    fit(tmp_path, scores, ExportModel(tiny_tokenizer(), folder=tmp_path / "run", every_n_epochs=1))
    loaded = load(tmp_path / "run" / "model", task="topic", revision=f"step={STEPS}")
    prepared = prepare(PROBED, tiny_tokenizer(), max_tokens=512)
    rows, _ = scorer(embed(parts_of(loaded.model), prepared, mean, reading=GATE), scores.start.read())
    online = [row for row in scores.rows if row["step"] == STEPS]
    assert [{"run": "", "step": STEPS, "epoch": 1, **row} for row in rows] == online


def test_a_resumed_run_compares_with_the_neurons_of_its_start(tmp_path):
    def run(folder, *extra, again=False):
        pl.seed_everything(3, verbose=False)
        model = tiny_model("xlm-roberta", "topic")
        keep = ModelCheckpoint(folder, filename="last", enable_version_counter=False)
        trainer = make_trainer(folder, neuron_scores(folder=folder), keep, *extra, enable_checkpointing=True)
        trainer.fit(make_module(model), make_data(), ckpt_path=str(folder / "last.ckpt") if again else None)

    run(tmp_path / "whole")
    with pytest.raises(StopError):
        run(tmp_path / "parts", Kill(epoch=1))
    run(tmp_path / "parts", again=True)
    pd.testing.assert_frame_equal(read(tmp_path / "whole"), read(tmp_path / "parts"))


def test_loggers_show_layers_and_the_whole_model(tmp_path):
    seen = {}

    class Keep(pl.loggers.CSVLogger):
        def log_metrics(self, metrics, step=None):
            seen.setdefault(step, {}).update(metrics)

    fit(tmp_path, neuron_scores(), logger=Keep(tmp_path))
    assert {"level/layer_01", "level/layer_04", "kept/model"} <= set(seen[0])
    assert not any(code in name for name in seen[0] for code in LANGUAGES)


def test_activations_that_are_not_finite_end_the_run_by_name():
    model = tiny_model("llama")
    with torch.no_grad():
        model.layers[1].mlp.up_proj.weight[0] = float("inf")
    scores = neuron_scores()
    with pytest.raises(ValueError, match=r"layer 2 is not finite for sentence 'lab-.*' in eng_Latn"):
        scores.score(scores.probe.embed(model), step=0, epoch=0)


def test_arguments_are_checked():
    with pytest.raises(ValueError, match=r"`every_n_epochs` to be at least 1, but got 0"):
        neuron_scores(every_n_epochs=0)
    with pytest.raises(ValueError, match=r"`reading` to be 'down_input' or 'gate', but got 'states'"):
        neuron_scores(reading="states")

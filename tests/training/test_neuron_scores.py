import shutil
from functools import partial

import pandas as pd
import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint

from babelscope.models.load import load
from babelscope.models.parts import parts_of
from babelscope.report.table import read
from babelscope.states import GATE, embed, prepare
from babelscope.states.pool import mean, weighted
from babelscope.training.export import ExportModel
from babelscope.training.neuron_scores import NeuronScores
from tests.models.tiny import tiny_model, tiny_tokenizer
from tests.training import runs
from tests.training.runs import (
    LANGUAGES,
    PROBED,
    Kill,
    StopError,
    layer_scores,
    make_data,
    make_module,
    make_trainer,
    points,
    same,
)

fit = partial(runs.fit, seed=0)
STEPS = 4


def scorer(pooled, start, *, least=0.0):
    """Mean activation by language; of the neurons on which it is above all others, the share kept."""
    layers = {
        layer: x.reshape(len(pooled.languages), len(pooled.ids), -1).mean(dim=1) for layer, x in pooled.layers.items()
    }
    highest = torch.stack([x == x.max(dim=0).values for x in layers.values()], dim=1)
    if least > 1:
        raise ValueError(f"Expected argument `least` to be at most 1, but got {least}; lower it")
    masks = dict(zip(pooled.languages, highest, strict=True))
    rows = [row("level", layer, code, x[k]) for layer, x in layers.items() for k, code in enumerate(pooled.languages)]
    rows += [row("level", layer, "", x) for layer, x in layers.items()]
    kept = {code: 1.0 if start is None else (mask & start[code]).sum() / mask.sum() for code, mask in masks.items()}
    rows += [row("kept", "", code, torch.as_tensor(value)) for code, value in kept.items()]
    rows += [row("kept", "", "", torch.tensor([float(value) for value in kept.values()]))]
    return rows, masks


def row(metric, layer, language, value):
    return {"metric": metric, "layer": layer, "language": language, "other": "", "value": float(value.float().mean())}


def neuron_scores(**options):
    given = {"scorer": scorer, "corpus": PROBED, "tokenizer": tiny_tokenizer(), "max_tokens": 512}
    return NeuronScores(**{**given, **options})


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
    assert (tmp_path / "run" / "results" / "neurons-down_input-00000004.parquet").is_file()
    assert (tmp_path / "run" / "states" / "key-neurons-down_input.safetensors").is_file()


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
    loaded = load(tmp_path / "run" / "model", head="classification", revision=f"step={STEPS}")
    prepared = prepare(PROBED, tiny_tokenizer(), max_tokens=512)
    rows, _ = scorer(embed(parts_of(loaded.model), prepared, mean, reading=GATE), scores.start.read()[0])
    online = [row for row in scores.rows if row["step"] == STEPS]
    assert [{"run": "", "step": STEPS, "epoch": 1, **row} for row in rows] == online


def run(folder, *callbacks, again=False):
    """Train with checkpoints, from the start or from the last one."""
    pl.seed_everything(3, verbose=False)
    model = tiny_model("xlm-roberta", "classification")
    keep = ModelCheckpoint(folder, filename="last", enable_version_counter=False)
    trainer = make_trainer(folder, keep, *callbacks, enable_checkpointing=True)
    trainer.fit(make_module(model), make_data(), ckpt_path=str(folder / "last.ckpt") if again else None)


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """A run that was killed in its second epoch."""
    folder = tmp_path_factory.mktemp("stopped")
    with pytest.raises(StopError):
        run(folder, neuron_scores(folder=folder), Kill(epoch=1))
    return folder


@pytest.mark.filterwarnings("ignore:The dirpath has changed")  # a copy of a run goes on
def test_a_resumed_run_compares_with_the_neurons_of_its_start(tmp_path, stopped):
    run(tmp_path / "whole", neuron_scores(folder=tmp_path / "whole"))
    parts = shutil.copytree(stopped, tmp_path / "parts")
    run(parts, neuron_scores(folder=parts), again=True)
    pd.testing.assert_frame_equal(read(tmp_path / "whole"), read(parts))


@pytest.mark.filterwarnings("ignore:The dirpath has changed")
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scorer": partial(scorer, least=0.5)}, r"with other scorer \(scorer, now scorer\(least=0\.5\)\);"),
        ({"pool": weighted}, r"with other pool \(mean, now weighted\);"),
        (
            {"corpus": PROBED.select(LANGUAGES[:2])},
            r"with other tokens .*, languages \(eng_Latn deu_Latn rus_Cyrl, now eng_Latn deu_Latn\);",
        ),
        ({"max_tokens": 200}, None),
    ],
)
def test_a_resumed_run_that_measures_otherwise_ends_before_it_trains(tmp_path, stopped, changes, message):
    folder = shutil.copytree(stopped, tmp_path / "run")
    if message is None:
        (folder / "states" / "key-neurons-down_input.safetensors").unlink()
    files = {path.name for path in (folder / "results").iterdir()}
    with pytest.raises(ValueError, match=message or "but there are none"):
        run(folder, neuron_scores(folder=folder, **changes), Kill(epoch=1), again=True)
    assert {path.name for path in (folder / "results").iterdir()} == files


def test_two_readings_in_one_run(tmp_path):
    both = [neuron_scores(folder=tmp_path / "run", reading=reading, run=reading) for reading in ("gate", "down_input")]
    fit(tmp_path, *both, max_epochs=1)
    assert len(read(tmp_path / "run")) == sum(len(scores.rows) for scores in both)
    assert len(list((tmp_path / "run" / "states").iterdir())) == 2


def test_loggers_show_layers_and_the_whole_model(tmp_path):
    seen = {}

    class Keep(pl.loggers.CSVLogger):
        def log_metrics(self, metrics, step=None):
            seen.setdefault(step, {}).update(metrics)

    fit(tmp_path, neuron_scores(), logger=Keep(tmp_path))
    assert {"level/layer_01", "level/layer_04", "kept/model"} <= set(seen[0])
    assert not any(code in name for name in seen[0] for code in LANGUAGES)


@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize("make", [neuron_scores, layer_scores])
def test_states_that_are_not_finite_end_the_run_in_every_process(tmp_path, monkeypatch, make, rank):
    model = tiny_model("xlm-roberta", "classification")
    with torch.no_grad():
        model.base_model.encoder.layer[1].intermediate.dense.weight[0] = float("inf")
    monkeypatch.setattr(pl.Trainer, "is_global_zero", property(lambda trainer: rank == 0))
    with pytest.raises(ValueError, match=r"layer 2 is not finite for sentence 'lab-.*' in eng_Latn"):
        make_trainer(tmp_path, make()).fit(make_module(model), make_data())


def test_arguments_are_checked():
    with pytest.raises(ValueError, match=r"`reading` to be 'down_input' or 'gate', but got 'states'"):
        neuron_scores(reading="states")
    with pytest.raises(ValueError, match="`least` to be at most 1, but got 2; lower it"):
        neuron_scores(scorer=partial(scorer, least=2))

import random
from functools import partial

import pandas as pd
import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from torch.utils.data import DataLoader

from babelscope.metrics import score
from babelscope.metrics.drift import drift
from babelscope.models import parts_of
from babelscope.models.adapters import lora
from babelscope.models.load import load
from babelscope.report.table import read
from babelscope.states import embed, prepare
from babelscope.states.pool import mean, weighted
from babelscope.training import ExportModel, LayerScores
from tests.models.tiny import save_checkpoint, tiny_model, tiny_tokenizer
from tests.training.runs import (
    LANGUAGES,
    METRICS,
    PROBED,
    TRAIN,
    Kill,
    StopError,
    layer_scores,
    make_data,
    make_module,
    make_task,
    make_trainer,
    points,
    same,
    weights_of,
)

STEPS = len(TRAIN) // 4
"""Per epoch."""


class Somebody(pl.LightningModule):
    """A module that knows nothing of Babelscope, with dropout, and its model under its own name."""

    def __init__(self):
        super().__init__()
        self.net = tiny_model("xlm-roberta", "classification")

    def on_fit_start(self):
        self.net.train()

    def training_step(self, batch, batch_idx):
        return self.net(**batch).loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


class SomebodyWhoValidates(Somebody):
    def validation_step(self, batch, batch_idx):
        self.log("loss", self.net(**batch).loss)


def loader(*, shuffle=False):
    task = make_task("classification", "xlm-roberta")
    return DataLoader(task.encode(TRAIN, "eng_Latn"), batch_size=4, shuffle=shuffle, collate_fn=task.collate)


def fit(folder, *callbacks, module=SomebodyWhoValidates, **options):
    pl.seed_everything(0, verbose=False)
    tuned = module()
    validates = issubclass(module, SomebodyWhoValidates)
    make_trainer(folder, *callbacks, **options).fit(tuned, loader(shuffle=True), loader() if validates else None)
    return tuned


def test_step_0_then_every_epoch_in_somebody_elses_module(tmp_path):
    scores = layer_scores(attribute="net", run="mine")
    fit(tmp_path, scores, num_sanity_val_steps=1)
    assert points(scores.rows) == [(0, 0), (STEPS, 1), (2 * STEPS, 2)]
    assert {row["run"] for row in scores.rows} == {"mine"}
    assert {row["layer"] for row in scores.rows} == {"0", "1", "2", "3", "4"}
    assert {row["metric"] for row in scores.rows} >= {"ilo", "bridge", "reach", "size"}
    assert {row["language"] for row in scores.rows} == {*LANGUAGES, ""}
    untouched = embedded_and_scored(tiny_model("xlm-roberta", "classification"), step=0, epoch=0, run="mine")
    assert [row for row in scores.rows if row["step"] == 0] == untouched


def test_a_second_training_begins_with_no_rows(tmp_path):
    scores = layer_scores(attribute="net", folder=tmp_path / "run")
    for seen in ([(0, 0), (STEPS, 1), (2 * STEPS, 2)], [(0, 0), (STEPS, 1)]):
        fit(tmp_path, scores, max_epochs=len(seen) - 1)
        assert points(scores.rows) == seen
        assert len(read(tmp_path / "run")) == len(scores.rows)


def embedded_and_scored(model, **keys):
    prepared = prepare(PROBED, tiny_tokenizer(), max_tokens=512)
    return list(score(embed(parts_of(model), prepared, mean).samples(), METRICS, **keys))


def test_every_second_epoch(tmp_path):
    scores = layer_scores(attribute="net", every_n_epochs=2)
    fit(tmp_path, scores, max_epochs=3)
    assert points(scores.rows) == [(0, 0), (2 * STEPS, 2), (3 * STEPS, 3)]


def test_a_training_without_validation_is_measured_at_the_end_of_its_epochs(tmp_path):
    scores = layer_scores(attribute="net")
    fit(tmp_path, scores, module=Somebody)
    assert points(scores.rows) == [(0, 0), (STEPS, 1), (2 * STEPS, 2)]


def test_a_validation_inside_an_epoch_is_measured_under_its_step(tmp_path):
    scores = layer_scores(attribute="net")
    fit(tmp_path, scores, val_check_interval=0.5, max_epochs=1)
    assert points(scores.rows) == [(0, 0), (STEPS // 2, 1), (STEPS, 1)]


def test_a_metric_of_ones_own_is_given_the_start_and_a_path_leads_to_the_model(tmp_path):
    class Wrapped(SomebodyWhoValidates):
        def __init__(self):
            super().__init__()
            self.outer = torch.nn.Module()
            self.outer.hf = self.net

    def moved(sample):
        return {"moved": (sample.x - sample.start).norm()}

    moved.reads_start = True
    scores = LayerScores(PROBED, tiny_tokenizer(), {"moved": moved}, attribute="outer.hf")
    fit(tmp_path, scores, module=Wrapped, max_epochs=1)
    assert all((row["value"] > 0) == (row["step"] > 0) for row in scores.rows)


def test_validating_alone_measures_nothing(tmp_path):
    scores = layer_scores(attribute="net")
    make_trainer(tmp_path, scores).validate(SomebodyWhoValidates(), loader(), verbose=False)
    assert not scores.rows


def test_a_wrong_attribute_is_named_with_the_right_one(tmp_path):
    with pytest.raises(ValueError, match=r"`attribute` .* of SomebodyWhoValidates, but got 'model'; .* a config: net"):
        fit(tmp_path, layer_scores())


def test_a_watched_training_ends_in_the_same_bits(tmp_path):
    alone = weights_of(fit(tmp_path))

    def draw(sample):
        random.random()
        return {"draw": torch.rand(())}

    scores = LayerScores(PROBED, tiny_tokenizer(), {**METRICS, "draw": draw}, attribute="net")
    assert same(alone, weights_of(fit(tmp_path, scores)))
    assert not same(alone, weights_of(Somebody()))

    class Still(SomebodyWhoValidates):
        def on_fit_start(self):
            self.net.eval()

    # dropout was active, so its random numbers were undisturbed
    pl.seed_everything(0, verbose=False)
    still = Still()
    make_trainer(tmp_path).fit(still, loader(shuffle=True), loader())
    assert not same(alone, weights_of(still))


def test_a_metric_may_use_autograd(tmp_path):
    def slope(sample):
        x = sample.x.requires_grad_()
        (gradient,) = torch.autograd.grad((x**2).sum(), x)
        return {"slope": gradient.abs().mean()}

    scores = LayerScores(PROBED, tiny_tokenizer(), {"slope": slope}, attribute="net")
    fit(tmp_path, scores, max_epochs=1)
    assert points(scores.rows) == [(0, 0), (STEPS, 1)]


def test_states_that_are_not_finite_end_the_run_by_name(tmp_path):
    class Diverging(SomebodyWhoValidates):
        def on_train_batch_end(self, *args):
            torch.nn.init.constant_(self.net.base_model.encoder.layer[1].output.dense.weight, float("nan"))

    with pytest.raises(ValueError, match=r"layer 2 is not finite for sentence 'lab-000000' in eng_Latn"):
        fit(tmp_path, layer_scores(attribute="net"), module=Diverging, limit_train_batches=1)


@pytest.mark.parametrize("adapter", [None, lora], ids=["plain", "lora"])
@pytest.mark.parametrize("model_type", ["xlm-roberta", "mt5"])
def test_online_is_offline(adapter, model_type, tmp_path):
    base = save_checkpoint(tmp_path / "base", model_type, "classification")
    loaded = load(base, head="classification", adapter=adapter)
    scores = layer_scores(folder=tmp_path / "run", run="r")
    export = ExportModel(loaded.tokenizer, folder=tmp_path / "run", every_n_epochs=1)
    make_trainer(tmp_path, scores, export).fit(make_module(loaded.model), make_data())
    assert points(scores.rows) == [(0, 0), (STEPS, 1), (2 * STEPS, 2)]
    for step, epoch in points(scores.rows)[1:]:
        online = [row for row in scores.rows if row["step"] == step]
        for task in ("classification", "base"):  # with its head, and as `babelscope probe` loads it
            kept = load(tmp_path / "run" / "model", head=task, revision=f"step={step}")
            assert embedded_and_scored(kept.model, step=step, epoch=epoch, run="r") == online
    last = load(tmp_path / "run" / "model")
    assert embedded_and_scored(last.model, step=step, epoch=epoch, run="r") == online
    on_disk = read(tmp_path / "run")
    assert len(on_disk) == len(scores.rows)
    assert sorted(on_disk["value"]) == sorted(row["value"] for row in scores.rows)


@pytest.mark.parametrize("adapter", [None, lora], ids=["plain", "lora"])
def test_drift_online_is_drift_offline_from_the_original_checkpoint(adapter, tmp_path):
    base = save_checkpoint(tmp_path / "base", "xlm-roberta", "classification")
    loaded = load(base, head="classification", adapter=adapter)
    metrics = {"drift": partial(drift, k=3), "size": METRICS["size"]}
    scores = LayerScores(PROBED, loaded.tokenizer, metrics, folder=tmp_path / "run", max_tokens=512)
    export = ExportModel(loaded.tokenizer, folder=tmp_path / "run", every_n_epochs=1)
    make_trainer(tmp_path, scores, export).fit(make_module(loaded.model), make_data())

    def embedded(*place, **options):
        prepared = prepare(PROBED, tiny_tokenizer(), max_tokens=512)
        return embed(parts_of(load(*place, **options).model), prepared, mean)

    start = embedded(base)
    for step, epoch in points(scores.rows):
        now = embedded(tmp_path / "run" / "model", revision=f"step={step}") if step else start
        online = [row for row in scores.rows if row["step"] == step]
        assert list(score(now.samples(start), metrics, run="", step=step, epoch=epoch)) == online
    assert {row["value"] for row in scores.rows if row["step"] == 0 and row["metric"] == "drift_knn"} == {1.0}
    assert min(row["value"] for row in scores.rows if row["metric"] == "drift_cka") < 0.99


def test_drift_goes_on_after_a_resume_and_needs_step_0(tmp_path):
    def run(folder, *extra, again=False, **options):
        pl.seed_everything(3, verbose=False)
        scores = LayerScores(PROBED, tiny_tokenizer(), {"drift": partial(drift, k=3)}, folder=folder, **options)
        keep = ModelCheckpoint(folder, filename="last", enable_version_counter=False)
        trainer = make_trainer(folder, scores, keep, *extra, enable_checkpointing=True)
        last = str(folder / "last.ckpt") if again else None
        trainer.fit(make_module(tiny_model("xlm-roberta", "classification"), seed=3), make_data(), ckpt_path=last)

    run(tmp_path / "whole")
    with pytest.raises(StopError):
        run(tmp_path / "parts", Kill(epoch=1))
    run(tmp_path / "parts", again=True)
    pd.testing.assert_frame_equal(read(tmp_path / "whole"), read(tmp_path / "parts"))
    with pytest.raises(StopError):
        run(tmp_path / "lost", Kill(epoch=1))
    with pytest.raises(ValueError, match=r"as they are now, but they are with other pool \(mean, now weighted\); go"):
        run(tmp_path / "lost", Kill(epoch=1), again=True, pool=weighted)
    (tmp_path / "lost" / "states" / "layers.safetensors").unlink()
    # before a batch is trained, at which `Kill` would stop
    with pytest.raises(ValueError, match=r"Expected the states of step 0 in .*, but there are none"):
        run(tmp_path / "lost", Kill(epoch=1), again=True)


@pytest.mark.parametrize("killed", [True, False], ids=["killed", "finished"])
def test_a_resumed_run_is_the_run_it_would_have_been(killed, tmp_path):
    def run(folder, *extra, again=False):
        pl.seed_everything(3, verbose=False)
        model = tiny_model("xlm-roberta", "lm")  # dropout and masks are drawn
        scores = layer_scores(folder=folder)
        keep = ModelCheckpoint(folder, filename="last", enable_version_counter=False)
        trainer = make_trainer(folder, scores, keep, *extra, max_epochs=3, enable_checkpointing=True)
        last = str(folder / "last.ckpt")
        trainer.fit(make_module(model, "lm", seed=3), make_data("lm"), ckpt_path=last if again else None)
        return scores, weights_of(model)

    whole, weights = run(tmp_path / "whole")
    if killed:
        with pytest.raises(StopError):
            run(tmp_path / "parts", Kill(epoch=2))
    else:
        run(tmp_path / "parts")
    resumed, weights_again = run(tmp_path / "parts", again=True)
    assert points(whole.rows) == [(0, 0), (STEPS, 1), (2 * STEPS, 2), (3 * STEPS, 3)]
    assert points(resumed.rows) == ([(3 * STEPS, 3)] if killed else [])
    assert same(weights, weights_again)
    pd.testing.assert_frame_equal(read(tmp_path / "whole"), read(tmp_path / "parts"))

"""csv/metrics.csv over several processes: as if there had been one."""

from contextlib import suppress

import pandas as pd
import pytest

from babelscope.training.checkpoint import LastCheckpoint, find_last
from babelscope.verbs.mirror.csv_rows import CsvMirror
from tests.models.tiny import tiny_model
from tests.training.runs import Kill, StopError, layer_scores, make_data, make_module, make_trainer


def mirror(folder):
    return CsvMirror(save_dir=folder, name="csv", version="")


def lines(folder):
    return (folder / "csv" / "metrics.csv").read_text().split()


def train(folder, *callbacks, every_n_train_steps=0):
    keep = LastCheckpoint(folder=folder, every_n_train_steps=every_n_train_steps)
    trainer = make_trainer(
        folder, layer_scores(), *callbacks, keep, max_epochs=3, logger=mirror(folder), enable_checkpointing=True
    )
    module = make_module(tiny_model("xlm-roberta", "classification"))
    trainer.fit(module, make_data(), ckpt_path=find_last(folder))
    trainer.test(module, make_data(), verbose=False)


def rows(folder):
    """Step and filled columns of every row, in the order of steps."""
    table = pd.read_csv(folder / "csv" / "metrics.csv")
    return sorted((row["step"], *sorted(row.dropna().index)) for _, row in table.iterrows())


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    train(folder)
    return rows(folder)


@pytest.mark.parametrize("every_n_train_steps", [0, 3])
def test_a_resumed_run_has_every_row_once(every_n_train_steps, undisturbed, tmp_path):
    for epoch in (0, 2):
        with suppress(StopError):
            train(tmp_path, Kill(epoch), every_n_train_steps=every_n_train_steps)
    train(tmp_path, every_n_train_steps=every_n_train_steps)
    assert rows(tmp_path) == undisturbed


def test_a_run_repeated_at_its_end_keeps_every_row(undisturbed, tmp_path):
    train(tmp_path)
    train(tmp_path)
    assert rows(tmp_path) == undisturbed


def test_a_validation_has_the_step_and_epoch_of_the_layers_measured_in_it(tmp_path):
    train(tmp_path)
    table = pd.read_csv(tmp_path / "csv" / "metrics.csv")
    layers, task = (
        table.loc[table[name].notna(), ["epoch", "step"]].astype(int).to_numpy().tolist()
        for name in ("ilo/layer_00", "validation_loss/eng_Latn")
    )
    assert layers == [[0, 0], [1, 4], [2, 8], [3, 12]]
    assert task == layers[1:]


def test_rows_logged_again_replace_those_of_an_earlier_process_alone(tmp_path):
    first = mirror(tmp_path)
    for step in (0, 1, 1, 2):
        first.log_metrics({"loss": 1.0}, step)
    first.log_metrics({"ilo": 1.0}, 1)
    first.save()
    second = mirror(tmp_path)
    for value in (2.0, 3.0):
        second.log_metrics({"loss": value}, 1)
        second.save()
    assert lines(tmp_path) == ["ilo,loss,step", ",1.0,0", ",1.0,2", "1.0,,1", ",2.0,1", ",3.0,1"]


def test_new_columns_join_old_ones(tmp_path):
    for name in ("b", "c", "a"):
        logger = mirror(tmp_path)
        logger.log_metrics({name: 1}, 0)
        logger.finalize("success")
    assert lines(tmp_path) == ["a,b,c,step", ",1,,0", ",,1,0", "1,,,0"]


def test_half_a_line_of_a_killed_process_is_dropped(tmp_path):
    file = tmp_path / "csv" / "metrics.csv"
    file.parent.mkdir()
    file.write_text("loss,step\n1.5,0\n1.2")
    logger = mirror(tmp_path)
    logger.log_metrics({"loss": 1.25}, 1)
    logger.save()
    assert lines(tmp_path) == ["loss,step", "1.5,0", "1.25,1"]

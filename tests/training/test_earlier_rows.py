"""What an earlier training has left in the folder, after the step that this one goes on from."""

import logging
from functools import partial

from pytorch_lightning.callbacks import ModelCheckpoint

from babelscope.analyses.tokens.scorer import TokenScorer
from babelscope.report.table import read, write
from babelscope.training import LayerScores, TaskScores
from babelscope.training.token_scores import TokenScores
from tests.models.tiny import tiny_model, tiny_tokenizer
from tests.training.runs import METRICS, PROBED, guard, make_data, make_module, make_trainer
from tests.training.test_measuring import fit


def test_rows_of_a_training_before_it_in_the_same_folder_go(tmp_path, caplog):
    fit(tmp_path, max_epochs=2)
    write(tmp_path / "run", "mine-00000003", [])
    with caplog.at_level(logging.WARNING):
        found = fit(tmp_path, max_epochs=1, limit_train_batches=3)
    assert found == {"size": [(0, 0), (3, 1)], "validation_loss": [(3, 1)]}
    told = [record.args[1:] for record in caplog.records if "later steps" in record.msg]
    assert sorted(told) == [(tmp_path / "run", 2, "layers"), (tmp_path / "run", 2, "validation")]
    assert (tmp_path / "run" / "results" / "mine-00000003.parquet").is_file()


def train_on(folder, callbacks, *, path=None, **options):
    keep = ModelCheckpoint(folder / "kept", save_top_k=-1, filename="{epoch}", enable_version_counter=False)
    trainer = make_trainer(folder, *callbacks, keep, enable_checkpointing=True, **options)
    trainer.fit(make_module(tiny_model("xlm-roberta", "classification")), make_data(), ckpt_path=path)


def test_a_training_that_goes_on_from_an_earlier_step_drops_what_came_after_it(tmp_path):
    folder = tmp_path / "run"

    def callbacks():
        scores = TokenScores(partial(TokenScorer, k=5), PROBED, tiny_tokenizer(), folder=folder)
        layers = LayerScores(PROBED, tiny_tokenizer(), METRICS, folder=folder, max_tokens=512)
        watch = guard(folder=folder, every_n_steps=0, tolerance=float("inf"))
        return [watch, layers, scores, TaskScores(folder=folder)]

    train_on(tmp_path, callbacks(), max_epochs=3)
    before = read(folder)
    train_on(tmp_path, callbacks(), max_epochs=2, path=tmp_path / "kept" / "epoch=0.ckpt")
    after = read(folder)
    assert sorted(set(before["step"])) == [0, 4, 8, 12]
    assert sorted(set(after["step"])) == [0, 4, 8]
    kept = before[before["step"] <= 4].reset_index(drop=True)
    assert after[after["step"] <= 4].reset_index(drop=True).equals(kept)
    assert set(after["metric"]) == set(before["metric"])

from functools import partial

import pytest
import torch
import transformers

from babelscope.metrics.drift import drift
from babelscope.report.table import read
from babelscope.training import TransformersLayerScores
from tests.models.tiny import tiny_model, tiny_tokenizer
from tests.training.runs import (
    METRICS,
    PROBED,
    TRAIN,
    layer_scores,
    make_data,
    make_module,
    make_task,
    make_trainer,
    points,
)


def trained(folder, *scores, resume=None, model=None, **options):
    task = make_task("classification", "xlm-roberta")
    given = {"num_train_epochs": 2, "per_device_train_batch_size": 4, "report_to": [], "save_strategy": "no"}
    arguments = transformers.TrainingArguments(
        str(folder), use_cpu=True, disable_tqdm=True, logging_strategy="no", **{**given, **options}
    )
    trainer = transformers.Trainer(
        model=model or tiny_model("xlm-roberta", "classification"),
        args=arguments,
        train_dataset=task.encode(TRAIN, "eng_Latn"),
        eval_dataset=task.encode(TRAIN, "eng_Latn"),
        data_collator=task.collate,
        callbacks=list(scores),
    )
    trainer.train(resume_from_checkpoint=resume)
    return trainer.model


def twin(metrics=METRICS, **options):
    return TransformersLayerScores(PROBED, tiny_tokenizer(), metrics, max_tokens=512, **options)


def test_the_twins_agree_before_training_and_write_the_same_rows(tmp_path):
    theirs, ours = twin(folder=tmp_path / "theirs"), layer_scores()
    trained(tmp_path, theirs)
    make_trainer(tmp_path, ours, max_epochs=1).fit(
        make_module(tiny_model("xlm-roberta", "classification")), make_data()
    )
    assert points(theirs.rows) == [(0, 0), (4, 1), (8, 2)]
    assert [row for row in theirs.rows if row["step"] == 0] == [row for row in ours.rows if row["step"] == 0]
    assert len(read(tmp_path / "theirs")) == len(theirs.rows)


def test_a_second_training_begins_with_no_rows(tmp_path):
    scores = twin(folder=tmp_path / "run")
    trained(tmp_path, scores)
    trained(tmp_path, scores, num_train_epochs=1)
    assert points(scores.rows) == [(0, 0), (4, 1)]
    assert len(read(tmp_path / "run")) == len(scores.rows)


def test_a_model_inside_of_another_module_is_found(tmp_path):
    class Around(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.hf = tiny_model("xlm-roberta", "classification")

        def forward(self, input_ids, attention_mask, labels):
            return self.hf(input_ids=input_ids, attention_mask=attention_mask, labels=labels)

    scores, plain = twin(attribute="hf"), twin()
    trained(tmp_path, scores, model=Around(), num_train_epochs=1)
    trained(tmp_path, plain, num_train_epochs=1)
    assert scores.rows == plain.rows


def test_a_watched_training_ends_in_the_same_bits(tmp_path):
    alone, watched = trained(tmp_path), trained(tmp_path, twin())
    assert all((a == b).all() for a, b in zip(alone.parameters(), watched.parameters(), strict=True))


def test_an_epoch_cut_short_is_the_one_that_was_begun(tmp_path):
    scores = twin()
    trained(tmp_path, scores, max_steps=5)
    assert points(scores.rows) == [(0, 0), (4, 1), (5, 2)]


def test_evaluations_are_measured_and_the_end_is_the_last_model_whatever_is_loaded(tmp_path):
    scores = twin()
    trained(tmp_path, scores, eval_strategy="steps", eval_steps=3)
    assert points(scores.rows) == [(0, 0), (3, 1), (4, 1), (6, 2), (8, 2)]
    best, plain = twin(every_n_epochs=3), twin(every_n_epochs=3)
    saved = {"eval_strategy": "epoch", "save_strategy": "epoch"}
    trained(tmp_path / "best", best, load_best_model_at_end=True, learning_rate=0.1, **saved)
    trained(tmp_path / "plain", plain, learning_rate=0.1, **saved)
    assert points(best.rows) == [(0, 0), (8, 2)]
    assert best.rows == plain.rows


def test_means_of_layers_are_in_the_log(tmp_path):
    scores = twin()
    task = make_task("classification", "xlm-roberta")
    arguments = transformers.TrainingArguments(
        str(tmp_path), use_cpu=True, report_to=[], max_steps=2, disable_tqdm=True
    )
    trainer = transformers.Trainer(
        tiny_model("xlm-roberta", "classification"),
        arguments,
        task.collate,
        task.encode(TRAIN, "eng_Latn"),
        callbacks=[scores],
    )
    trainer.train()
    logged = [row for row in trainer.state.log_history if "ilo/layer_04" in row]
    means = [row["value"] for row in scores.rows if (row["metric"], row["layer"], row["language"]) == ("ilo", "4", "")]
    assert [(row["step"], row["epoch"]) for row in logged] == [(0, 0), (2, 1)]
    assert [row["ilo/layer_04"] for row in logged] == means
    count = len(scores.rows)
    trainer.evaluate(task.encode(TRAIN, "eng_Latn"))
    assert len(scores.rows) == count


def test_every_second_epoch(tmp_path):
    scores = twin(every_n_epochs=2)
    trained(tmp_path, scores)
    assert points(scores.rows) == [(0, 0), (8, 2)]


def test_two_in_one_folder_are_refused_before_they_write(tmp_path):
    one, other = (twin(folder=tmp_path / "run") for _ in range(2))
    with pytest.raises(ValueError, match=r"`folder` to be another one for each TransformersLayerScores .* of its own"):
        trained(tmp_path, one, other)
    assert not (tmp_path / "run").exists()
    trained(tmp_path, one, twin(folder=tmp_path / "other"), max_steps=1)
    trained(tmp_path, other, max_steps=1)  # one training after another begins anew
    assert points(one.rows) == points(other.rows) == [(0, 0), (1, 1)]


def test_a_training_that_goes_on_from_an_earlier_step_drops_what_came_after_it(tmp_path):
    folder, metrics = tmp_path / "run", {"drift": partial(drift, k=3)}
    same = {"lr_scheduler_type": "constant", "save_strategy": "epoch"}
    trained(tmp_path, twin(metrics, folder=folder), num_train_epochs=3, **same)
    before, again = read(folder), twin(metrics, folder=folder)
    trained(tmp_path, again, num_train_epochs=2, resume=str(tmp_path / "checkpoint-4"), **same)
    after = read(folder)
    assert points(again.rows) == [(8, 2)]
    assert sorted(set(before["step"])) == [0, 4, 8, 12]
    assert after.equals(before[before["step"] <= 8].reset_index(drop=True))  # what is measured again is the same
    (folder / "states" / "layers.safetensors").unlink()
    with pytest.raises(ValueError, match="but there are none"):
        trained(tmp_path, twin(metrics, folder=folder), resume=str(tmp_path / "checkpoint-4"))
    assert read(folder).equals(after)

import pytest
import transformers

from babelscope.report.table import read
from babelscope.training import TransformersLayerScores
from tests.models.tiny import tiny_model, tiny_tokenizer
from tests.training.runs import METRICS, PROBED, TRAIN, layer_scores, make_data, make_module, make_task, make_trainer


def trained(folder, scores, **options):
    task = make_task("topic", "xlm-roberta")
    given = {"num_train_epochs": 2, "per_device_train_batch_size": 4, "report_to": [], "save_strategy": "no"}
    arguments = transformers.TrainingArguments(
        str(folder), use_cpu=True, disable_tqdm=True, logging_strategy="no", **{**given, **options}
    )
    trainer = transformers.Trainer(
        model=tiny_model("xlm-roberta", "topic"),
        args=arguments,
        train_dataset=task.encode(TRAIN, "eng_Latn"),
        data_collator=task.collate,
        callbacks=[] if scores is None else [scores],
    )
    trainer.train()
    return trainer.model


def twin(**options):
    return TransformersLayerScores(PROBED, tiny_tokenizer(), METRICS, max_tokens=512, **options)


def points(scores):
    return sorted({(row["step"], row["epoch"]) for row in scores.rows})


def test_the_twins_agree_before_training_and_write_the_same_rows(tmp_path):
    theirs, ours = twin(folder=tmp_path / "theirs"), layer_scores()
    trained(tmp_path, theirs)
    make_trainer(tmp_path, ours, max_epochs=1).fit(make_module(tiny_model("xlm-roberta", "topic")), make_data())
    assert points(theirs) == [(0, 0), (4, 1), (8, 2)]
    assert [row for row in theirs.rows if row["step"] == 0] == [row for row in ours.rows if row["step"] == 0]
    assert len(read(tmp_path / "theirs")) == len(theirs.rows)


def test_a_watched_training_ends_in_the_same_bits(tmp_path):
    alone, watched = trained(tmp_path, None), trained(tmp_path, twin())
    assert all((a == b).all() for a, b in zip(alone.parameters(), watched.parameters(), strict=True))


def test_an_epoch_cut_short_is_the_one_that_was_begun(tmp_path):
    scores = twin()
    trained(tmp_path, scores, max_steps=5)
    assert points(scores) == [(0, 0), (4, 1), (5, 2)]


def test_every_second_epoch(tmp_path):
    scores = twin(every_n_epochs=2)
    trained(tmp_path, scores)
    assert points(scores) == [(0, 0), (8, 2)]


def test_measuring_never_is_refused():
    with pytest.raises(ValueError, match=r"`every_n_epochs` to be a whole number from 1, but got 0"):
        twin(every_n_epochs=0)

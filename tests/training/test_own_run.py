import pytest
import transformers

from babelscope.data.lab import LANGUAGES, lab
from babelscope.metrics import ilo
from babelscope.report.runs import facts_of, has_ended
from babelscope.report.table import read_run
from babelscope.training import LayerScores, TransformersLayerScores
from babelscope.training.own_run import MARK
from tests.models.tiny import tiny_model, tiny_tokenizer
from tests.training.runs import TRAIN, Kill, StopError, make_data, make_module, make_task, make_trainer
from tests.verbs.command import babelscope

WATCHED = (lab(LANGUAGES[:5], "dev").take(range(8)), tiny_tokenizer(), {"ilo": ilo})


def lightning(folder, *callbacks):
    scores = LayerScores(*WATCHED, folder=folder)
    trainer = make_trainer(folder.parent, scores, *callbacks, max_epochs=1)
    trainer.fit(make_module(tiny_model("xlm-roberta", "classification")), make_data())


def hugging_face(folder):
    task = make_task("classification", "xlm-roberta")
    arguments = transformers.TrainingArguments(
        str(folder.parent), use_cpu=True, report_to=[], max_steps=2, disable_tqdm=True
    )
    scores = TransformersLayerScores(*WATCHED, folder=folder)
    model, examples = tiny_model("xlm-roberta", "classification"), task.encode(TRAIN, "eng_Latn")
    transformers.Trainer(model, arguments, task.collate, examples, callbacks=[scores]).train()


@pytest.mark.parametrize("train", [lightning, hugging_face])
def test_a_page_is_made_of_the_run_of_ones_own_trainer(train, somewhere):
    train(somewhere / "mine")
    run = read_run(somewhere / "mine")
    assert has_ended(run)
    assert facts_of(run) == {
        "Model": "XLMRobertaForSequenceClassification",
        "Corpus": "lab, 8 sentences per language",
        "Languages": "5",
        "Measured": "2 times in 1 epoch",
    }
    ended = babelscope("report", "runs=mine")
    assert ended.code == 0, ended.err
    assert (somewhere / "mine" / "report.html").is_file()
    assert "ILO early" in ended.out


def test_a_training_that_stops_has_not_ended(somewhere):
    with pytest.raises(StopError):
        lightning(somewhere / "mine", Kill(0))
    assert not has_ended(read_run(somewhere / "mine"))
    lightning(somewhere / "mine")
    assert has_ended(read_run(somewhere / "mine"))


def test_what_a_verb_wrote_is_left_alone(somewhere):
    (somewhere / "mine").mkdir()
    (somewhere / "mine" / "run.yaml").write_text("model: {name: theirs}\n")
    lightning(somewhere / "mine")
    assert (somewhere / "mine" / "run.yaml").read_text() == "model: {name: theirs}\n"
    assert not (somewhere / "mine" / "manifest.json").exists()
    (somewhere / "other").mkdir()
    (somewhere / "other" / "run.yaml").write_text(f"{MARK}model: {{name: before}}\n")
    lightning(somewhere / "other")
    assert read_run(somewhere / "other").config["model"]["name"] == "XLMRobertaForSequenceClassification"

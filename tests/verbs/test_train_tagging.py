"""`babelscope train` on tagged words, from files as others write them."""

import json

import pytest

from babelscope.data.lab import lab_tagged
from babelscope.models.load import load
from babelscope.report.table import read_run
from tests.models.tiny import save_checkpoint
from tests.verbs.command import SMALL_TRAINING, babelscope, refused

CODES = {"eng_Latn": "en", "deu_Latn": "de"}
SIZES = {"train": 24, "dev": 6, "test": 9}


@pytest.fixture
def overrides(somewhere):
    checkpoint = save_checkpoint(somewhere.parent / "tiny", "bert", "lm")
    return [
        f"model.checkpoint={checkpoint}",
        "task=tagging",
        "task.languages=[deu_Latn]",
        *SMALL_TRAINING,
    ]


def sentences(code, part):
    own = lab_tagged([code], part).examples(code)
    yield from list(zip(own.words, own.tags, strict=True))[: SIZES[part]]


def test_names_are_scored_by_f1_where_they_are_tested(overrides, somewhere):
    for code, short in CODES.items():
        for part in SIZES:
            said = [
                "\n".join(f"{word}\t{'B-PER' if tag == 'agent' else 'O'}" for word, tag in zip(*each, strict=True))
                for each in sentences(code, part)
            ]
            (somewhere / f"{short}_{part}.iob2").write_text("\n\n".join(said))
    ended = babelscope("train", *overrides, 'task.corpus.file="{language}_{split}.iob2"')
    assert ended.code == 0, ended.err
    assert "f1" in ended.out
    rows = read_run(somewhere / "run").rows
    for score in ("f1", "accuracy", "loss"):
        assert set(rows.loc[rows["metric"] == f"test_{score}", "language"]) == {"eng_Latn", "deu_Latn"}
    kept = load(somewhere / "run" / "model", head="token_classification", new_head=False)
    assert kept.model.config.id2label == {0: "B-PER", 1: "O"}
    assert "Test F1 in every language" in (somewhere / "run" / "report.html").read_text()


def test_other_tags_are_scored_by_accuracy(overrides, somewhere):
    for code in CODES:
        for part in SIZES:
            rows = [{"tokens": words, "upos": tags} for words, tags in sentences(code, part)]
            (somewhere / f"{code}.{part}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    given = (*overrides, 'task.corpus.file="{language}.{split}.jsonl"', "adapter=lora")
    ended = babelscope("train", *given)
    assert ended.code == 0, ended.err
    rows = read_run(somewhere / "run").rows
    assert set(rows.loc[rows["language"] == "deu_Latn", "metric"]) == {"test_accuracy", "test_loss"}
    assert "already" in babelscope("train", *given).out
    stopping = (
        "callbacks=[task_scores,early_stopping]",
        "callbacks.early_stopping.monitor=validation_accuracy/eng_Latn",
    )
    assert "callbacks.early_stopping.mode=max" in refused("train", *given, *stopping, "output=other")
    probe = babelscope(
        "probe", "model.checkpoint=run", "sentences=12", "metrics=ilo", "metrics.ilo.threshold=1", "output=scored"
    )
    assert probe.code == 0, probe.err


@pytest.mark.parametrize("more", ["setting=guard", "alignment=contrast"])
def test_parallel_text_beside_it_is_that_of_the_probes(more, overrides, somewhere):
    given = [each for each in overrides if not each.startswith(("task", "languages"))]
    tagged = ("task=lab_tagging", "languages.codes=[eng_Latn,rus_Cyrl,deu_Latn]", "corpus.split=test")
    ended = babelscope("train", *given, *tagged, more)
    assert ended.code == 0, ended.err
    assert (read_run(somewhere / "run").rows["metric"] == "test_accuracy").sum() == 3


def test_what_is_measured_is_not_trained_on(overrides):
    given = [each for each in overrides if not each.startswith("task")]
    assert "share no sentence" in refused("train", *given, "task=lab_tagging", "corpus.split=train")


def test_tags_of_the_test_are_classes_and_may_not_change(overrides, somewhere):
    for code in CODES:
        for part in SIZES:
            said = [
                "\n".join(f"{word} {'B-PER' if tag == 'agent' else 'O'}" for word, tag in zip(*each, strict=True))
                for each in sentences(code, part)
            ]
            (somewhere / f"{code}.{part}").write_text("\n\n".join(said))
    test = somewhere / "deu_Latn.test"
    test.write_text(test.read_text().replace("B-PER", "B-ORG", 1))
    given = (*overrides, 'task.corpus.file="{language}.{split}"', "task.max_length=12")
    ended = babelscope("train", *given)
    assert ended.code == 0, ended.err
    assert "are not trained on or scored: they lie beyond 12 tokens" in ended.err
    config = load(somewhere / "run" / "model", head="token_classification").model.config
    assert config.id2label == {0: "B-ORG", 1: "B-PER", 2: "O"}
    manifest = somewhere / "run" / "manifest.json"
    assert set(json.loads(manifest.read_text())["texts"]) == {"task.train", "task.validation", "task.test"}


def test_what_is_no_tagged_text_is_refused_in_a_line(overrides, somewhere):
    (somewhere / "eng.txt").write_text("Ada X\nran\n")
    assert "task.corpus.file" in refused("train", *overrides)
    wrong = refused("train", *overrides, 'task.corpus.file="{language}.txt"', "task.languages=[eng_Latn]")
    assert "Expected 2 columns separated by blanks, but got 1 in eng.txt, line 2" in wrong
    assert not (somewhere / "run").exists()

"""`babelscope train` on labelled text that is no parallel corpus."""

import pandas as pd
import pytest
from safetensors.torch import load_file

from babelscope.data.lab import lab
from babelscope.models.load import load
from babelscope.report.table import read_run
from tests.models.tiny import save_checkpoint
from tests.verbs.command import SMALL_TRAINING, babelscope, refused, says

CODES = {"eng_Latn": "en", "deu_Latn": "de", "hin_Deva": "hi"}


def pairs(code, part):
    """Whether the second text is the first one: two of three are."""
    texts = lab(list(CODES), part).texts[code][: {"train": 24, "dev": 6, "test": 9}[part]]
    for i, text in enumerate(texts):
        yield {"one": text, "two": text if i % 3 else texts[i - 1], "same": str(bool(i % 3)), "lang": CODES[code]}


@pytest.fixture
def overrides(somewhere):
    for part in ("train", "dev", "test"):
        rows = [row for code in CODES for row in pairs(code, part)]
        pd.DataFrame(rows).to_csv(somewhere / f"{part}.csv", index=False)
    checkpoint = save_checkpoint(somewhere.parent / "tiny", "bert", "lm")
    return [
        f"model.checkpoint={checkpoint}",
        "task=classification",
        'task.corpus.file="{split}.csv"',
        "task.corpus.text=one",
        "task.corpus.second=two",
        "task.corpus.label=same",
        "task.corpus.language=lang",
        "task.name=same",
        *SMALL_TRAINING,
    ]


def test_a_task_is_tested_in_languages_of_its_own(overrides, somewhere):
    ended = babelscope("train", *overrides, "task.languages=[hin_Deva,deu_Latn]")
    assert ended.code == 0, ended.err
    run = read_run(somewhere / "run")
    tests = run.rows[run.rows["metric"] == "test_accuracy"]
    assert set(tests["language"]) == {"eng_Latn", "deu_Latn", "hin_Deva"}
    scores = run.rows[run.rows["metric"] == "ilo"]
    assert set(scores["language"]) == {"", "eng_Latn", "rus_Cyrl"}
    assert "zero-shot" in ended.out
    model = load(somewhere / "run" / "model", head="classification").model
    assert model.config.id2label == {0: "False", 1: "True"}
    assert (somewhere / "run" / "report.html").stat().st_size > 10_000


def test_fewer_examples_are_other_weights_and_the_same_command_is_done(overrides, somewhere):
    given = [*overrides, "task.languages=[eng_Latn]", "page=false"]
    assert babelscope("train", *given).code == 0
    assert babelscope("train", *given, "task.examples=8", "output=few").code == 0
    assert babelscope("train", *given, "task.examples=8", "output=again").code == 0
    weights = [load_file(somewhere / name / "model" / "model.safetensors") for name in ("run", "few", "again")]
    name = "classifier.weight"
    assert not weights[0][name].equal(weights[1][name])
    assert weights[1][name].equal(weights[2][name])
    assert "already" in babelscope("train", *given).out


def test_what_is_wrong_with_a_task_is_one_line(overrides):
    says(refused("train", *overrides), "task.corpus.codes={rus_Cyrl:NAME}", "'rus_Cyrl'")
    says(refused("train", *overrides, "task.languages=eng_Latn"), "`task.languages` to be a list of FLORES codes")
    says(refused("train", *overrides, "task.max_length=abc"), "`task.max_length` to be a whole number", "'abc'")
    says(refused("train", *overrides, "task.batch_size=0"), "`task.batch_size` to be a whole number from 1")
    says(refused("train", *overrides, "task.examples=0"), "`task.examples` to be a whole number from 1", "or null")
    says(
        refused("train", *overrides, "task.corpus.label=lang", "task.languages=[eng_Latn]"),
        "at least 2 labels",
        "has 1",
    )
    measured = ["corpus=table", "corpus.file=train.csv", "corpus.language=lang", "corpus.text=one", "corpus.split=all"]
    given = [*overrides, *measured, "task.languages=[eng_Latn]", "languages.codes=[eng_Latn,deu_Latn]"]
    says(refused("train", *given), "`corpus.split` to share no sentence", "`task.train`", "12 of 12")

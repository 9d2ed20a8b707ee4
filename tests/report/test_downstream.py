"""The table of downstream tasks says how each was asked, wherever that is not to be taken for granted."""

import re

import pandas as pd
import pytest

from babelscope.report.downstream import downstream_html
from babelscope.report.table import COLUMNS, Run

PLAIN = {"task": "copy_en", "documents": 40, "of": 40, "num_fewshot": 0, "truncated": 0, "hash": "a"}


@pytest.fixture
def make_run(tmp_path):
    def make(name, *, origin=None, **changes):
        values = [("acc", 0.5), ("acc_stderr", 0.07), ("acc_null", 0.25)]
        rows = [(name, 2, 1, "", f"own/{metric}", "eng_Latn", "", value) for metric, value in values]
        manifest = {"benchmark": "own", "model": "/cache/x/2627", "model_type": "bloom"}
        manifest |= {"tasks": {"eng_Latn": PLAIN | changes}, "trained_in": origin or {}}
        config = {"model": {"name": "tuned"}}
        return Run(tmp_path / name, config, manifest, pd.DataFrame(rows, columns=list(COLUMNS)))

    return make


def text(runs):
    return " ".join(re.sub("<[^>]+>", " ", downstream_html(runs)).split())


def test_what_is_as_usual_is_not_told(make_run):
    shown = text([make_run("one"), make_run("two")])
    assert "one tuned 2 own/acc 0.500 1 language 0.500 ± 0.070 guessing 0.250 two" in shown
    for word in ("40", "example", "prompt", "Not to be compared"):
        assert word not in shown


def test_examples_and_documents_are_told_in_every_row(make_run):
    shown = text([make_run("one", num_fewshot=2, hash="b"), make_run("two", documents=3, hash="c", truncated=1)])
    assert "guessing 0.250 40 of 40 documents 2 examples two" in shown
    assert "guessing 0.250 3 of 40 documents 0 examples 1 prompt cut Not" in shown
    assert "Not to be compared: documents, prompts or right answers differ in copy_en (eng_Latn): one | two" in shown


def test_hashes_that_differ_name_who_was_asked_alike(make_run):
    shown = text([make_run("one"), make_run("two", hash="b"), make_run("three")])
    assert "copy_en (eng_Latn): one, three | two" in shown


def test_the_model_of_a_run_folder_is_named_with_the_run(make_run):
    assert " lab_bloom, run tuned 2 own/acc" in text([make_run("one", origin={"run": "tuned", "model": "lab_bloom"})])
    assert " bloom, run tuned 2 own/acc" in text([make_run("one", origin={"run": "tuned"})])

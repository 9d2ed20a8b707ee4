"""Examples of a task where parallel text is wanted, in every verb that wants it."""

from pathlib import Path

import pytest

from tests.verbs.command import refused, says

pytestmark = pytest.mark.usefixtures("somewhere")
CODES = ("eng_Latn", "deu_Latn")
GIVEN = ("model.checkpoint=./nowhere", f"languages.codes=[{','.join(CODES)}]", "--config-dir", "own", "corpus=mine")


@pytest.fixture(autouse=True)
def mine(somewhere):
    rows = [f"text {number}\t{'ab'[number % 2]}" for number in range(60)]
    for code in CODES:
        Path(f"{code}.tsv").write_text("\n".join(["text\tlabel", *rows]) + "\n")
    Path("own/corpus").mkdir(parents=True)
    node = "_target_: babelscope.data.labelled_table\n_partial_: true\nfile: '{language}.tsv'\nsplit: train\n"
    Path("own/corpus/mine.yaml").write_text(node)


@pytest.mark.parametrize(
    "command",
    [
        ("probe",),
        ("neurons", "ablation=null", "z.threshold=0.5", "sentences=12"),
        ("train", "sentences=null", "logger=none"),
        ("train", "sentences=12", "task=lm", "logger=none"),
    ],
    ids=" ".join,
)
def test_it_is_refused(command):
    line = refused(*command, *GIVEN, "output=run")
    says(line, "Expected `corpus` to be parallel text", "got a LabelledCorpus", "task.corpus")


def test_so_it_is_in_pretraining():
    line = refused("pretrain", "model=lab_xlmr", *GIVEN[1:], "output=run")
    says(line, "Expected `corpus` to be parallel text", "got a LabelledCorpus")


def test_so_it_is_in_an_alignment_term():
    Path("own/alignment").mkdir()
    Path("own/alignment/mine.yaml").write_text(
        "_target_: babelscope.training.alignment.ContrastiveTerm\n_partial_: true\nsource: eng_Latn\ncorpus:\n"
        "  _target_: babelscope.data.labelled_table\n  languages: ${languages.codes}\n  split: train\n"
        "  file: '{language}.tsv'\n"
    )
    line = refused("train", *GIVEN[:-1], "alignment=mine", "logger=none", "output=run")
    says(line, "Expected `alignment.corpus` to be parallel text", "got a LabelledCorpus")

"""What the data refuse, and a report without any: exit code 2, one line with the remedy, and nothing left behind."""

import pytest

from tests.verbs.command import SHORT_TRAINING, refused, says

pytestmark = pytest.mark.usefixtures("somewhere")


def test_unknown_language():
    says(refused("probe", "languages.codes=[eng_Latn,deu_Lat]"), "languages", "'deu_Lat'", "nearest: deu_Latn")


def test_unknown_training_language(small):
    says(refused("train", *small, *SHORT_TRAINING, "task.language=engl_Latn"), "'engl_Latn'", "nearest: eng_Latn")


def test_more_sentences_than_there_are(small):
    says(refused("probe", *small, "sentences=5000"), "5000", "300", "fewer")


def test_training_sentences_in_the_probes(small):
    says(refused("train", *small, *SHORT_TRAINING, "corpus.split=train"), "`corpus.split`", "corpus.split=dev+test")


@pytest.fixture
def lines(tmp_path):
    folder = tmp_path / "lines"
    folder.mkdir()
    for code in ("eng_Latn", "deu_Latn"):
        (folder / f"{code}.txt").write_text("".join(f"{code} sentence {i}.\n" for i in range(9)), encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"Eins.\nZwei.\n", ("deu_Latn.txt has 2", "eng_Latn.txt has 9", "align")),
        (b"", ("deu_Latn.txt has 0", "eng_Latn.txt has 9", "align")),
        (b"Eins.\n\n" + b"Mehr.\n" * 7, ("deu_Latn.txt, line 2", "empty", "remove")),
        (b"Eins.\nZw\xffi.\n" + b"Mehr.\n" * 7, ("deu_Latn.txt, line 2", "0xff", "UTF-8")),
        (None, ("'deu_Latn'", "nearest: eng_Latn")),
    ],
    ids=["misaligned", "empty file", "empty line", "invalid UTF-8", "no file"],
)
def test_files(lines, content, words):
    file = lines / "deu_Latn.txt"
    file.unlink()
    if content is not None:
        file.write_bytes(content)
    arguments = ("corpus=lines", f"corpus.folder={lines}", "languages.codes=[eng_Latn,deu_Latn]")
    says(refused("probe", *arguments), *words)


def test_empty_files(lines):
    for file in lines.iterdir():
        file.write_text("")
    arguments = ("corpus=lines", f"corpus.folder={lines}", "languages.codes=[eng_Latn,deu_Latn]")
    says(refused("probe", *arguments), "lines", "none", "check")


@pytest.mark.parametrize("corpus", ["sib200", "flores", "lines"])
def test_no_such_folder(corpus):
    says(refused("probe", f"corpus={corpus}", "corpus.folder=nowhere"), "`corpus.folder`", "nowhere", "correct")


def test_corpus_without_a_folder():
    says(refused("probe", "corpus=lines"), "corpus.folder", "set it")


def test_k_and_threshold(small):
    says(refused("probe", *small, "metrics.ilo.k=100000"), "`k`", "100000", "30 points", "lower metrics.ilo.k")
    says(refused("probe", *small, "metrics.ilo.threshold=40"), "`threshold`", "40", "k=5")
    two = refused("probe", *small, "languages.codes=[eng_Latn,deu_Latn]")
    says(two, "`threshold`", "3", "2 languages", "lower metrics.ilo.threshold or add languages")


def test_report_on_nothing(somewhere):
    says(refused("report", "runs=nowhere"), "nowhere", "no such folder", "runs=")
    (somewhere / "empty").mkdir()
    says(refused("report", "runs=empty"), "empty", "run.yaml", "runs=")

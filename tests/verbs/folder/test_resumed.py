"""A run that goes on does so on the weights and the texts that it was begun on, or not at all."""

import json
import re
import shutil
import signal
from pathlib import Path

import pytest

from babelscope.data.corpora import Corpus
from babelscope.report.table import read_run
from babelscope.training.module import FineTuner
from babelscope.verbs.folder.kept import RefusedError
from babelscope.verbs.folder.manifest import text_fingerprint
from babelscope.verbs.folder.resumed import gone_on
from tests.models.tiny import save_checkpoint
from tests.verbs.command import FIVE, Ended, babelscope, says

LINES = 60
"""Of which the first 42 are trained on, 6 validated on, and 12 measured."""


class Stopped:
    """A run that was told to end after its first step, and the files that it was made of."""

    def __init__(self, folder: Path):
        self.files, self.run, self.kept = folder / "files", folder / "run", folder / "kept"
        texts = self.files / "texts"
        texts.mkdir(parents=True)
        for code in FIVE.strip("[]").split(","):
            (texts / f"{code}.txt").write_text("".join(f"{code} says {i}.\n" for i in range(LINES)))
        (texts / "topics").write_text("".join(f"topic {i % 3}\n" for i in range(LINES)))
        save_checkpoint(self.files / "tiny", "xlm-roberta")

    def go(self, run: Path) -> Ended:
        files = ("corpus=lines", f"corpus.folder={self.files / 'texts'}", "+corpus.labels=topics", "corpus.split=test")
        return babelscope(
            *("train", f"model.checkpoint={self.files / 'tiny'}", *files, f"languages.codes={FIVE}", "sentences=null"),
            *("trainer=smoke", "metrics=ilo", "freeze=last", "callbacks=[layer_scores,task_scores,checkpoint]"),
            *("logger=none", "page=false", f"output={run}"),
        )

    def write(self, name: str, line: int, text: str) -> None:
        path = self.files / "texts" / name
        lines = path.read_text().splitlines(keepends=True)
        path.write_text("".join([*lines[:line], text, *lines[line + 1 :]]))


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    stopped = Stopped(tmp_path_factory.mktemp("resumed"))
    with pytest.MonkeyPatch.context() as patch:
        step = FineTuner.training_step

        def told(*args):
            signal.raise_signal(signal.SIGTERM)
            return step(*args)

        patch.setattr(FineTuner, "training_step", told)
        assert stopped.go(stopped.run).code == 143
    shutil.copytree(stopped.files, stopped.kept)
    return stopped


@pytest.fixture
def stopped(begun, somewhere):
    """The run as it was stopped, in a folder that may be changed; its files are put back afterwards."""
    begun.copy = somewhere / "run"
    shutil.copytree(begun.run, begun.copy)
    yield begun
    shutil.rmtree(begun.files)
    shutil.copytree(begun.kept, begun.files)


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def other_weights(stopped):
    shutil.rmtree(stopped.files / "tiny")
    save_checkpoint(stopped.files / "tiny", "xlm-roberta", seed=7)


def fewer_lines(stopped):
    for path in (stopped.files / "texts").iterdir():
        path.write_text("".join(path.read_text().splitlines(keepends=True)[:-10]))


@pytest.mark.parametrize(
    ("change", "differ"),
    [
        (other_weights, ["weights of `model`"]),
        (lambda stopped: stopped.write("deu_Latn.txt", 55, "Etwas anderes.\n"), ["tokens of `corpus`"]),
        (lambda stopped: stopped.write("eng_Latn.txt", 3, "Something else.\n"), ["texts of `task.train`"]),
        (
            fewer_lines,
            [
                *("tokens of `corpus`", "texts of `task.train`", "texts of `task.validation`"),
                "number of sentences of `corpus`",
            ],
        ),
    ],
)
def test_other_weights_and_texts_are_refused(change, differ, stopped):
    change(stopped)
    before = contents(stopped.copy)
    ended = stopped.go(stopped.copy)
    assert (ended.code, len(ended.lines)) == (2, 1), ended.err
    says(ended.err, f"Expected {stopped.copy} to go on with", "; restore them, or begin a new run", "output=FOLDER")
    assert re.findall(r"((?:number of )?[a-z]+ of `[a-z.]+`) \w+ \(begun on \w+\)", ended.err) == differ
    assert contents(stopped.copy) == before


def test_what_is_restored_goes_on(stopped):
    ended = stopped.go(stopped.copy)
    assert (ended.code, ended.err) == (0, "")
    assert json.loads((stopped.copy / "manifest.json").read_text())["finished"] is True


def test_a_manifest_without_texts_goes_on(stopped):
    manifest = json.loads((stopped.copy / "manifest.json").read_text())
    del manifest["texts"]
    (stopped.copy / "manifest.json").write_text(json.dumps(manifest))
    stopped.write("eng_Latn.txt", 3, "Something else.\n")
    assert stopped.go(stopped.copy).code == 0


def test_what_begins_anew_may_be_on_anything(stopped):
    shutil.rmtree(stopped.copy / "checkpoints")
    before = json.loads((stopped.copy / "manifest.json").read_text())
    fewer_lines(stopped)
    assert stopped.go(stopped.copy).code == 0
    after = json.loads((stopped.copy / "manifest.json").read_text())
    assert after["tokens"] != before["tokens"]


def test_labels_are_part_of_a_text():
    corpora = [Corpus("x", ("1", "2"), {"eng_Latn": ("a", "b")}, labels) for labels in (None, ("p", "q"), ("q", "p"))]
    assert len({text_fingerprint(corpus) for corpus in corpora}) == 3


def test_only_what_both_manifests_have_is_compared(tmp_path):
    gone_on(tmp_path, {"weights": "a"})
    (tmp_path / "manifest.json").write_text('{"weights": "a", "corpus": {"languages": ["eng_Latn"]}}')
    manifest = gone_on(
        tmp_path, {"weights": "z", "tokens": "b", "corpus": {"sentences": 3}, "texts": {"task.train": "c"}}
    )
    assert (manifest["weights"], manifest["tokens"]) == ("a", "b")
    with pytest.raises(
        RefusedError, match=r"languages of `corpus` \['deu_Latn'\] \(begun on \['eng_Latn'\]\); restore"
    ):
        gone_on(tmp_path, {"weights": "a", "corpus": {"languages": ["deu_Latn"]}})


def test_a_renamed_run_goes_on_under_the_name_that_its_rows_carry(stopped, somewhere):
    renamed = stopped.copy.rename(somewhere / "renamed")
    ended = stopped.go(renamed)
    assert (ended.code, ended.err) == (0, "")
    rows = read_run(renamed).rows
    assert set(rows["run"]) == {"run"}
    assert rows.query("layer != ''")["step"].nunique() == 2
    assert "Every layer, before → after" in ended.out
    assert stopped.go(renamed).out.startswith(f"Finished already: {renamed}")


def test_a_torn_part_that_would_not_be_measured_again_is_refused_before_training(stopped):
    part = stopped.copy / "results" / "layers-00000000.parquet"
    part.write_bytes(part.read_bytes()[:100])
    before = contents(stopped.copy)
    ended = stopped.go(stopped.copy)
    assert (ended.code, len(ended.lines)) == (2, 1)
    last = stopped.copy / "checkpoints" / "last.ckpt"
    says(
        ended.err, f"Expected {part}, the rows of an earlier step, to be readable", f"delete {last} to restart this run"
    )
    assert contents(stopped.copy) == before
    last.unlink()
    assert stopped.go(stopped.copy).code == 0
    assert set(read_run(stopped.copy).rows.query("layer != ''")["step"]) == {0, 2}


def test_a_torn_part_that_is_measured_again_is_no_matter(stopped):
    (stopped.copy / "results" / "layers-00000002.parquet").write_bytes(b"PAR1")
    (stopped.copy / "results" / "test-00000002.parquet").write_bytes(b"PAR1")
    assert stopped.go(stopped.copy).code == 0
    assert set(read_run(stopped.copy).rows.query("layer != ''")["step"]) == {0, 2}

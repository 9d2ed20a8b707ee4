"""Folders that were copied, renamed or moved, which the ledger does not know, are as safe as those that it does."""

import shutil
from pathlib import Path

import pytest

from tests.models.tiny import save_checkpoint
from tests.verbs.command import FIVE, babelscope, says

pytestmark = pytest.mark.usefixtures("somewhere")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return save_checkpoint(tmp_path_factory.mktemp("copied") / "tiny", "bloom", "lm")


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def probed(tiny, *overrides):
    given = (f"model.checkpoint={tiny}", f"languages.codes={FIVE}", "sentences=12", "metrics=knn_lid")
    return babelscope("probe", *given, *overrides)


def trained(tiny, *overrides):
    given = (f"model.checkpoint={tiny}", f"languages.codes={FIVE}", "sentences=12", "metrics=ilo", "trainer=smoke")
    return babelscope("train", *given, "logger=none", "page=false", "+corpus.train=40", *overrides)


def commands(tiny):
    model = f"model.checkpoint={tiny}"
    return {
        "probe": ("probe", model, f"languages.codes={FIVE}", "sentences=12", "metrics=ilo"),
        "evaluate": ("evaluate", model, "limit=2"),
        "neurons": ("neurons", model, f"languages.codes={FIVE}", "ablation=null"),
        "tokens": ("tokens", model, "probe=null", "k=[5]"),
        "pretrain": ("pretrain", "model=lab_bloom", "model.recipe.steps=1"),
    }


@pytest.mark.parametrize("verb", ["probe", "evaluate", "neurons", "tokens", "pretrain"])
def test_no_verb_writes_into_the_copy_of_a_training(tiny, trained_once, verb):
    shutil.copytree(trained_once, "copy")
    before = contents(Path("copy"))
    ended = babelscope(*commands(tiny)[verb], "output=copy")
    assert (ended.code, len(ended.lines)) == (2, 1), ended.err
    says(ended.err, "copy to hold a run of this configuration, but got one with", "output=FOLDER, or delete this one")
    assert contents(Path("copy")) == before


@pytest.fixture(scope="module")
def trained_once(tiny, tmp_path_factory):
    folder = tmp_path_factory.mktemp("once") / "run"
    assert trained(tiny, f"output={folder}").code == 0
    return folder


def test_the_copy_of_a_finished_training_is_finished(tiny, trained_once):
    shutil.copytree(trained_once, "copy")
    before = contents(Path("copy"))
    ended = trained(tiny, "output=copy")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("Finished already: ")
    assert contents(Path("copy")) == before


def test_a_folder_of_other_runs_is_free(tiny):
    assert probed(tiny, "output=all/one").code == 0
    before = contents(Path("all"))
    assert probed(tiny, "output=all", "seed=3").code == 0
    assert {path: text for path, text in contents(Path("all")).items() if path in before} == before


def test_how_a_probe_is_computed_may_change(tiny):
    assert probed(tiny, "output=one").code == 0
    assert probed(tiny, "output=one", "threads=1", "max_tokens=512").code == 0


def test_a_single_probe_is_replaced_by_itself_alone(tiny):
    assert probed(tiny, "output=one").code == 0
    Path("one").rename("two")
    assert probed(tiny, "output=two").code == 0
    before = contents(Path("two"))
    ended = probed(tiny, "output=two", "seed=3")
    assert (ended.code, len(ended.lines)) == (2, 1)
    assert "but got one with seed=0 where this one has 3;" in ended.err
    assert contents(Path("two")) == before

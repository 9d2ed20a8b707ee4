"""A model measured on the text that it was fine-tuned on: allowed, and said."""

import json
from pathlib import Path

import pytest

from tests.models.tiny import save_checkpoint
from tests.verbs.command import SMALL_TRAINING, babelscope

pytestmark = pytest.mark.usefixtures("somewhere")
PROBE = ("sentences=12", "metrics=ilo", "metrics.ilo.k=2", "metrics.ilo.threshold=1")
AMONG, TRANSLATED = "of `corpus` are among those that", "of `corpus` are translations of those that"
WITH, WITHOUT = "languages.codes=[eng_Latn,rus_Cyrl]", "languages.codes=[deu_Latn,rus_Cyrl]"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of a run that was fine-tuned on 40 sentences of the lab in English, or its model."""
    root = tmp_path_factory.mktemp("trained")
    tiny = save_checkpoint(root / "tiny", "bloom", "lm")
    given = (f"model.checkpoint={tiny}", *SMALL_TRAINING, "task=lm", "+corpus.train=40")
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(root)
        patched.setenv("BABELSCOPE_CACHE", str(root / "cache"))
        ended = babelscope("train", *given)
    assert (ended.code, ended.err) == (0, "")
    return root / "run"


def said(checkpoint, *overrides, verb="probe"):
    given = PROBE if verb == "probe" else ("sentences=12", "ablation=null", "lape=null", "z.threshold=0.5")
    ended = babelscope(verb, f"model.checkpoint={checkpoint}", *given, "output=measured", *overrides)
    assert ended.code == 0, ended.err
    return " ".join(ended.err.split())


@pytest.mark.parametrize("verb", ["probe", "neurons"])
def test_what_is_trained_on_is_said(trained, verb):
    line = said(trained, WITH, "corpus.split=train", "+corpus.train=40", verb=verb)
    assert f"12 of the 12 sentences {AMONG} {trained} was fine-tuned on (`task.train`, in eng_Latn)" in line
    assert line.endswith("choose another split, such as corpus.split=dev+test.")


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ((WITHOUT, "corpus.split=train", "+corpus.train=40"), TRANSLATED),
        ((WITH, "corpus.split=train"), AMONG),  # some of the lab's 700
        ((WITH, "corpus.split=dev"), ""),
        ((WITH,), ""),
    ],
    ids=str,
)
def test_of_the_folder_inside(trained, overrides, words):
    line = said(trained / "model", *overrides, "sentences=null" if words else "sentences=12")
    assert words in line
    assert bool(line) == bool(words)


@pytest.mark.parametrize("change", ["hash", "manifest", "none"])
def test_nothing_is_said_that_is_not_known(trained, change):
    path = trained / "manifest.json"
    before = path.read_text()
    told = json.loads(before)
    told["texts"] = {"task.train": "0" * 64} if change == "hash" else {}
    path.write_text("{" if change == "manifest" else json.dumps(told))
    try:
        assert said(trained, WITH, "corpus.split=train", "+corpus.train=40") == ""
    finally:
        path.write_text(before)


def test_another_corpus_is_not_read_again(trained, somewhere):
    for code in ("eng_Latn", "rus_Cyrl"):
        Path(f"{code}.txt").write_text("".join(f"{code} sentence {number}\n" for number in range(20)))
    assert said(trained, WITH, "corpus=lines", f"corpus.folder={somewhere}") == ""


def test_training_says_so_of_translations(somewhere):
    tiny = save_checkpoint(somewhere / "tiny", "bloom", "lm")
    given = ("train", f"model.checkpoint={tiny}", *SMALL_TRAINING, "task=lm", "+corpus.train=40", "corpus.split=train")
    ended = babelscope(*given, WITHOUT)
    assert ended.code == 0
    assert f"12 of the 12 sentences {TRANSLATED} are trained on (`task.train`, in eng_Latn)" in ended.err
    assert babelscope(*given, WITH).code == 2  # which is refused, as before

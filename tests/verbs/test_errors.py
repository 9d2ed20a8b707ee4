"""Every bad input: exit code 2, one line that names argument, value and remedy, and nothing left behind."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from babelscope.files import write_text
from babelscope.verbs.errors import one_line
from tests.models.tiny import save_checkpoint, tiny_model, tiny_tokenizer
from tests.verbs.command import FIVE, babelscope, refused, says, written

pytestmark = pytest.mark.usefixtures("somewhere")

TRAIN = ("trainer=smoke", "logger=none", "+corpus.train=40")


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoints")
    return {kind: save_checkpoint(folder / kind, kind) for kind in ("xlm-roberta", "mt5", "llama")}


@pytest.fixture
def small(checkpoints):
    """A probe that ends within a second."""
    return (f"model.checkpoint={checkpoints['xlm-roberta']}", f"languages.codes={FIVE}", "sentences=6", "metrics=ilo")


# what the configuration refuses


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("languages=[eng_Latn,deu_Latn]", ("`languages`", "deu_Latn", "languages.codes=[")),
        ("languages=eng_Latn", ("`languages`", "'eng_Latn'", "languages.codes=[eng_Latn,")),
        ("model=xlmr_bose", ("`model`", "'xlmr_bose'", "nearest: xlmr_base")),
        ("metrics=[1]", ("`metrics`", "[1]", "isotropy", "choose one")),
        ("metrics={ilo: 1}", ("`metrics.ilo`", "1", "write metrics=[ilo]")),
        ("~metrics", ("`~metrics`", "metrics=[NAME,...]")),
        ("pool=nan", ("`pool`", "nan", "weighted", "choose one")),
        ("pool=[mean]", ("`pool`", "[mean]", "weighted", "choose one")),
        ("metrics=[ilo,sep]", ("`metrics`", "'sep'", "separability", "nearest")),
        ("pool=mode", ("`pool`", "'mode'", "weighted", "choose one")),
        ("hydra/sweeper=optuna", ("`hydra/sweeper`", "installed", "'optuna'", "leave it out")),
        ("neighbours=annoy", ("`neighbours`", "'annoy'", "faiss, torch")),
        ("task=lm", ("`task`", "leave it out")),
        ("sentencs=5", ("`sentencs`", "nearest: sentences")),
        ("metrics.ilo.kk=3", ("`metrics.ilo`", "`kk`", "nearest: k")),
        ("model.revison=main", ("`model`", "`revison`", "nearest: revision")),
        ("+metrics.ilo.kk=3", ("`metrics.ilo`", "`kk`", "nearest: k")),
        ("metrics.ilo.k=five", ("`metrics.ilo.k`", "'five'", "whole number")),
        ("metrics.ilo.distance=l1", ("`metrics.ilo.distance`", "'l1'", "'euclidean'")),
        ("metrics.ilo._target_=babelscope.ilo", ("metrics.ilo", "babelscope.ilo")),
        ("metrics=[]", ("`metrics`", "metrics=[ilo,separability]")),
        ("+corpus.colour=red", ("`corpus`", "`colour`")),
        ("sentences", ("KEY=VALUE", "'sentences'")),
        ("languages.codes=[", ("KEY=VALUE", "'languages.codes=['", "'model.name=\"a, b\"'")),
        ("model.checkpoint={b}.txt", ("KEY=VALUE", "as in 'model.checkpoint=\"{b}.txt\"'")),
        ("model.checkpoint=a{b}", ("KEY=VALUE", "'model.checkpoint=a{b}'", "as in 'model.checkpoint=\"a{b}\"'")),
        ("model=default", ("`model.checkpoint`", "add")),
        ("sentences=abc", ("`sentences`", "'abc'", "null")),
        ("sentences=0", ("`sentences`", "0")),
        ("seed=x", ("`seed`", "'x'")),
        ("threads=0", ("`threads`", "0")),
        ("max_tokens=-1", ("`max_tokens`", "-1")),
        ("output=null", ("Expected `output` to be a folder", "null")),
        ('output=""', ("Expected `output` to be a folder", "''")),
        ("device=tpu9", ("`device`", "'tpu9'", "device=cpu")),
    ],
)
def test_configuration(override, words):
    says(refused("probe", override), *words)


def test_settings_of_a_metric_that_is_not_chosen():
    line = refused("train", "experiment=demo", "metrics=[ilo,mexa]")
    says(line, "`metrics.separability`", "{'folds': 3}", "metrics=[...,separability]", "'~metrics.separability'")


def test_experiments_may_be_several(tmp_path):
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text("# @package _global_\nsentences: 7\n")
    ended = babelscope("train", "--config-dir", tmp_path, "experiment=[demo,mine]", "--cfg", "job")
    assert (ended.code, ended.err) == (0, "")
    assert "\nsentences: 7\n" in ended.out


def test_an_experiment_of_another_verb():
    says(refused("probe", "experiment=demo"), "`experiment=demo`", "`task`", "leave it out")


@pytest.mark.parametrize("text", ["a: [1\n", "a:\n\tb: 1\n"])
def test_a_file_of_ones_own_that_is_no_yaml(text, tmp_path):
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics" / "q.yaml").write_text(text)
    line = refused("probe", "--config-dir", tmp_path, "metrics=[q]")
    says(line, "Expected YAML in", "q.yaml, line 2", "correct it")


def test_a_key_of_the_trainer(small):
    says(refused("train", *small, *TRAIN, "+trainer.max_epoch=1"), "trainer", "`max_epoch`", "nearest: max_epochs")


def test_a_key_of_a_callback(small):
    says(refused("train", *small, *TRAIN, "+callbacks.layer_scores.often=1"), "`callbacks.layer_scores`", "`often`")


# what the data refuse


def test_unknown_language():
    says(refused("probe", "languages.codes=[eng_Latn,deu_Lat]"), "languages", "'deu_Lat'", "nearest: deu_Latn")


def test_unknown_training_language(small):
    says(refused("train", *small, *TRAIN, "task.language=engl_Latn"), "'engl_Latn'", "nearest: eng_Latn")


def test_more_sentences_than_there_are(small):
    says(refused("probe", *small, "sentences=5000"), "5000", "300", "fewer")


def test_training_sentences_in_the_probes(small):
    says(refused("train", *small, *TRAIN, "corpus.split=train"), "`corpus.split`", "corpus.split=dev+test")


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


# what the model refuses


def test_unknown_model_type(checkpoints, small, tmp_path):
    folder = save_checkpoint(tmp_path / "odd", "bert")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "babel"}))
    says(refused("probe", *small, f"model.checkpoint={folder}"), "`model_type`", "'babel'", "`model.family`")


def test_a_row_of_a_family_is_checked(small):
    says(refused("probe", *small, "model.family={depth: 3}"), "`model.family`", "`depth`", "nearest")
    says(refused("probe", *small, "model.family={model_type: bert}"), "`model.family`", "'stack'", "add")


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("freeze=early freeze.blocks_frozen=9", ("`freeze.blocks_frozen`", "9", "4 blocks")),
        ("freeze=blocks freeze.blocks=[[0,9]]", ("`freeze.blocks`", "[0, 9]", "[0, 4]")),
        ("freeze=early freeze.decoder=melt", ("`freeze.decoder`", "'melt'", "'freeze'")),
        ("adapter=lora adapter.targets=[attention]", ("`adapter.targets`", "attention", "query")),
        ("adapter=lora adapter.r=big", ("`adapter.r`", "'big'")),
    ],
)
def test_freezing_and_adapters(small, override, words):
    says(refused("train", *small, *TRAIN, *override.split()), *words)


def test_float16_with_mt5(checkpoints, small):
    line = refused("probe", *small, f"model.checkpoint={checkpoints['mt5']}", "model.dtype=float16")
    says(line, "`model.dtype`", "float16", "model.dtype=bfloat16")


def test_states_that_are_not_finite(small, tmp_path):
    model = tiny_model("xlm-roberta")
    with torch.no_grad():
        model.get_submodule("encoder.layer.1.output.dense").weight[0, 0] = float("nan")
    model.save_pretrained(tmp_path / "nan")
    tiny_tokenizer().save_pretrained(tmp_path / "nan")
    for verb, more in (("probe", ()), ("train", TRAIN)):
        line = refused(verb, *small, *more, f"model.checkpoint={tmp_path / 'nan'}")
        says(line, "layer 2", "'lab-", " in ", "model.dtype")


def test_torn_checkpoints(small, tmp_path):
    folder = save_checkpoint(tmp_path / "torn", "xlm-roberta")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])
    given = (*small, f"model.checkpoint={folder}")
    says(refused("probe", *given), "`model.checkpoint`", str(folder), "weights", "save")
    weights.unlink()
    says(refused("probe", *given), "`model.checkpoint`", str(folder), "weights")
    (folder / "config.json").write_text("{")
    says(refused("probe", *given), "`model.checkpoint`", "config.json", "save")
    (folder / "config.json").unlink()
    says(refused("probe", *given), "`model.checkpoint`", str(folder), "config.json", "give")


def test_missing_checkpoints(small, tmp_path):
    says(refused("probe", *small, "model.checkpoint=./nowhere"), "`model.checkpoint`", "'./nowhere'", "give")
    says(refused("probe", *small, "model.revision=step=7"), "`model.revision`", "'step=7'", "leave")
    says(refused("probe", *small, "model=xlmr_base", "model.checkpoint=null"), "`model.checkpoint`", "null", "add")


def test_hub_without_a_network(small, tmp_path):
    # what is said offline is said at once, and is read as the process starts
    done = subprocess.run(
        [Path(sys.executable).with_name("babelscope"), "probe", *small, "model.checkpoint=a/b"],
        env={**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    says(done.stderr, "`model.checkpoint`", "'a/b'", "network", "folder")
    assert written(Path.cwd()) == []


def test_a_missing_padding_token_is_no_error(checkpoints, small, tmp_path):
    folder = save_checkpoint(tmp_path / "bare", "llama")
    config = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps({k: v for k, v in config.items() if k != "pad_token"}))
    for verb, more in (("probe", ()), ("train", TRAIN)):
        ended = babelscope(verb, *small, *more, f"model.checkpoint={folder}", f"output={verb}")
        assert (ended.code, ended.err) == (0, "")


# what the disk refuses


def test_output_below_a_file(small, somewhere):
    (somewhere / "file").write_text("")
    says(refused("probe", *small, "output=file/run"), "file/run", "Not a directory", "output=FOLDER")
    says(refused("probe", *small, "output=file"), "file", "output=FOLDER")
    says(refused("probe", *small, "output=/proc/nothing/run"), "/proc/nothing", "output=FOLDER")


def test_a_temporary_name_is_not_the_users():
    line = one_line(IsADirectoryError(errno.EISDIR, "Is a directory", "runs/.rows.parquet.4711.tmp", None, "x"))
    says(line, "Expected runs/rows.parquet to be", "Is a directory")


def test_a_file_that_is_too_large_has_a_name(tmp_path, monkeypatch):
    def too_large(*args):
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))

    monkeypatch.setattr(os, "fsync", too_large)
    with pytest.raises(OSError, match="File too large") as told:
        write_text(tmp_path / "run.yaml", "x")
    says(
        one_line(told.value),
        f"Expected {tmp_path / 'run.yaml'} to stay within the file-size limit",
        "File too large",
        "ulimit -f",
    )


@pytest.mark.parametrize("place", ["files", "store"])
def test_full_disk(small, monkeypatch, place):
    def full(*args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync" if place == "files" else "posix_fallocate", full)
    says(refused("probe", *small), "disk", "full", "output=FOLDER", "cache=FOLDER")


@pytest.mark.parametrize("size", ["8k", "500k"])
def test_a_disk_that_is_really_full(small, somewhere, size):
    disk = somewhere / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", disk], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("no right to mount a file system")
    try:
        for verb, more in (("probe", ()), ("train", TRAIN)):
            ended = babelscope(verb, *small, *more, f"output=disk/{verb}/run")
            assert (ended.code, len(ended.lines)) == (2, 1), ended.err
            says(ended.err, "disk", "full", "output=FOLDER")
            assert not [path for path in written(disk) if ".tmp" in path or ".writing" in path]
            assert size != "8k" or written(disk) == []
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


# what the report refuses


def test_report_on_nothing(somewhere):
    says(refused("report", "runs=nowhere"), "nowhere", "no such folder", "runs=")
    (somewhere / "empty").mkdir()
    says(refused("report", "runs=empty"), "empty", "run.yaml", "runs=")


def test_a_gpu_that_is_not_there_is_named_with_the_remedy():
    said = MisconfigurationException("No supported gpu backend found!")
    assert "`trainer.accelerator`" in one_line(said)
    assert "trainer=default" in one_line(said)

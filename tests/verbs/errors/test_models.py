"""What the model refuses: exit code 2, one line that names argument, value and remedy, and nothing left behind."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.models.tiny import save_checkpoint, tiny_model, tiny_tokenizer
from tests.verbs.command import SHORT_TRAINING, babelscope, refused, says, written

pytestmark = pytest.mark.usefixtures("somewhere")


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
    says(refused("train", *small, *SHORT_TRAINING, *override.split()), *words)


def test_float16_with_mt5(checkpoints, small):
    line = refused("probe", *small, f"model.checkpoint={checkpoints['mt5']}", "model.dtype=float16")
    says(line, "`model.dtype`", "float16", "model.dtype=bfloat16")


def test_states_that_are_not_finite(small, tmp_path):
    model = tiny_model("xlm-roberta")
    with torch.no_grad():
        model.get_submodule("encoder.layer.1.output.dense").weight[0, 0] = float("nan")
    model.save_pretrained(tmp_path / "nan")
    tiny_tokenizer().save_pretrained(tmp_path / "nan")
    for verb, more in (("probe", ()), ("train", SHORT_TRAINING)):
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
    for verb, more in (("probe", ()), ("train", SHORT_TRAINING)):
        ended = babelscope(verb, *small, *more, f"model.checkpoint={folder}", f"output={verb}")
        assert (ended.code, ended.err) == (0, "")

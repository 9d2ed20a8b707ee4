import os
from pathlib import Path

import pytest
import torch

from babelscope.analyses.neurons.published_regions import read_published

FOLDER = os.environ.get("BABELSCOPE_LAPE")
CODES = ("eng_Latn", "zho_Hans", "fra_Latn", "spa_Latn", "vie_Latn", "ind_Latn", "jpn_Jpan")


def listed(*blocks):
    return [torch.tensor(indices, dtype=torch.int64) for indices in blocks]


def written(tmp_path, content, name="bloom-7b"):
    torch.save(content, tmp_path / name)
    return tmp_path / name


def test_the_layout_of_the_published_files(tmp_path):
    file = written(tmp_path, [listed([0, 7], [], [3]), listed([], [], [7])])
    regions = read_published(file, ["eng_Latn", "fra_Latn"], 8, model="bloom-7b1")
    assert regions.masks["eng_Latn"].nonzero().tolist() == [[0, 0], [0, 7], [2, 3]]
    assert regions.masks["fra_Latn"].nonzero().tolist() == [[2, 7]]
    assert (regions.shape, regions.criterion, regions.reading) == ((3, 8), "published", "gate")
    assert (regions.weights, regions.model, regions.settings) == ("", "bloom-7b1", {"file": "bloom-7b"})


def test_what_does_not_fit_the_file(tmp_path):
    file = written(tmp_path, [listed([0, 7], [-1]), listed([], [])])
    for languages in (["eng_Latn"], ["a", "b", "c"], ["a", "a"], []):
        with pytest.raises(ValueError, match=f"each of the 2 languages in {file} once"):
            read_published(file, languages, 8)
    with pytest.raises(ValueError, match="from 0 to 6, but got 0 to 7 for a in block 1"):
        read_published(file, ["a", "b"], 7)
    with pytest.raises(ValueError, match="from 0 to 7, but got -1 to -1 for a in block 2"):
        read_published(file, ["a", "b"], 8)


@pytest.mark.parametrize(
    "content",
    [
        [],
        [[]],
        torch.zeros(3),
        {"n": 3, "over_zero": torch.zeros(2, 3)},
        [listed([1]), listed([1], [2])],
        [[[1, 2], [3]]],
        [[torch.tensor([1.0])]],
        [[torch.zeros(2, 2, dtype=torch.int64)]],
    ],
)
def test_other_layouts(tmp_path, content):
    with pytest.raises(ValueError, match=r"but got another .*; give a file in that layout"):
        read_published(written(tmp_path, content), ["a"], 8)


@pytest.mark.parametrize("content", [b"", b"no tensors", b"\x80\x05", b"(", b"cos\nsystem\n(S'true'\ntR.", None])
def test_files_that_cannot_be_read(tmp_path, content):
    file = tmp_path / "mask"
    if content is None:
        whole = written(tmp_path, [listed([0, 7])], "whole").read_bytes()
        file.write_bytes(whole[: len(whole) // 2])
    else:
        file.write_bytes(content)
    for path in (file, tmp_path / "missing", tmp_path):
        with pytest.raises(ValueError, match=f"Expected {path} to be a torch-saved list .*cannot be read") as error:
            read_published(path, ["a"], 8)
        assert "\n" not in str(error.value)


@pytest.mark.skipif(FOLDER is None, reason="BABELSCOPE_LAPE names no folder with the published files")
@pytest.mark.parametrize(
    ("name", "blocks", "neurons", "totals"),
    [
        ("BLOOM-7B.neuron.pth", 30, 16384, [445, 653, 680, 918, 551, 2823]),
        ("LLaMA-2-7B.neuron.pth", 32, 11008, [95, 583, 1022, 838, 836, 1068, 582]),
    ],
)
def test_published_totals(name, blocks, neurons, totals):
    regions = read_published(Path(str(FOLDER)) / name, CODES[: len(totals)], neurons)
    assert regions.shape == (blocks, neurons)
    assert regions.counts.sum(1).tolist() == totals

from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import save_file

from babelscope.analyses.region_files import check_model, read, save
from babelscope.analyses.regions import Regions


def planted(criterion="lape", weights="a" * 64, seed=0):
    masks = torch.rand(3, 4, 20, generator=torch.Generator().manual_seed(seed)) < 0.2
    masks[1] = False
    codes = ("rus_Cyrl", "eng_Latn", "arb_Arab")  # not in order of the alphabet
    return Regions(
        dict(zip(codes, masks, strict=True)), criterion, "gate", weights, "tiny", {"share": 0.01, "bar": 0.95}
    )


def test_what_was_saved_is_read_back(tmp_path):
    regions = planted()
    file = save(regions, tmp_path / "new" / "lape.safetensors")
    found = read(file)
    assert (found.languages, found.criterion, found.reading) == (regions.languages, "lape", "gate")
    assert (found.weights, found.model, found.settings) == ("a" * 64, "tiny", {"share": 0.01, "bar": 0.95})
    assert all(torch.equal(found.masks[code], mask) for code, mask in regions.masks.items())
    assert [path.name for path in file.parent.iterdir()] == ["lape.safetensors"]
    whole = file.read_bytes()
    assert save(found, file).read_bytes() == whole


def test_an_interrupted_writer_leaves_the_old_file(tmp_path, monkeypatch):
    file = save(planted(seed=1), tmp_path / "z.safetensors")
    whole = file.read_bytes()

    def full(path, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full)
    with pytest.raises(OSError, match="No space left"):
        save(planted(seed=2), file)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [whole]


def test_files_that_hold_no_regions(tmp_path):
    whole = save(planted(), tmp_path / "good.safetensors").read_bytes()
    files = {name: tmp_path / name for name in ("missing", "torn", "text", "empty", "weights", "old")}
    files["torn"].write_bytes(whole[: len(whole) // 2])
    files["text"].write_text("These are no regions.")
    files["empty"].touch()
    save_file({"eng_Latn": torch.zeros(2, 3)}, files["weights"])
    save_file({"x": torch.zeros(2, 3)}, files["old"], metadata={"regions": '{"format": 0}'})
    for file in (*files.values(), tmp_path):
        with pytest.raises(ValueError, match=f"Expected {file} to be a file of regions") as error:
            read(file)
        assert "\n" not in str(error.value)
    with pytest.raises(ValueError, match="written in format 0, not 1"):
        read(files["old"])


def test_regions_of_another_model_are_refused():
    regions = planted()
    parts = SimpleNamespace(blocks=[None] * 4, neurons=20)
    assert check_model(regions, parts, "a" * 64) is regions
    with pytest.raises(ValueError, match="weights bbbbbbbbbbbb, but got regions of tiny of weights aaaaaaaaaaaa"):
        check_model(regions, parts, "b" * 64)
    assert check_model(regions, parts, "b" * 64, any_weights=True) is regions
    assert check_model(planted(weights=""), parts, "b" * 64)
    for blocks, neurons in ((3, 20), (4, 24)):
        with pytest.raises(ValueError, match=f"{blocks} blocks of {neurons} neurons, but got .* with 4 blocks of 20"):
            check_model(regions, SimpleNamespace(blocks=[None] * blocks, neurons=neurons), "a" * 64, any_weights=True)

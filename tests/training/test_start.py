import json

import pytest
import torch
from safetensors.torch import save_file

from babelscope.training.start import StartTensors

TENSORS = {"0": torch.randn(6, 4), "10": torch.randn(6, 4), "2": torch.randn(6, 4), "final": torch.ones(6, 4).bool()}
ORIGIN = {"tokens": "abc", "pool": "mean"}


def start(file, **changes):
    return StartTensors(file, {**ORIGIN, **changes}, what="states", remedy="leave out drift")


@pytest.mark.parametrize("place", ["memory", "disk"])
def test_what_is_kept_is_read_bit_by_bit_in_its_order(place, tmp_path):
    file = tmp_path / "run" / "states" / "layers.safetensors" if place == "disk" else None
    kept = start(file)
    kept.keep({name: ~x if name == "final" else -x for name, x in TENSORS.items()})
    kept.keep(TENSORS, ids=["a", "b"])
    for reader in [kept] if file is None else [kept, start(file)]:
        tensors, about = reader.read()
        assert list(tensors) == list(TENSORS)
        assert all(torch.equal(tensors[name], x) for name, x in TENSORS.items())
        assert "3" not in tensors
        assert about["ids"] == ["a", "b"]
    assert file is None or [path.name for path in file.parent.iterdir()] == [file.name]


def test_there_are_none(tmp_path):
    for file, where in ((tmp_path / "kept", "kept"), (None, "memory")):
        with pytest.raises(
            ValueError, match=rf"Expected the states of step 0 in .*{where}, but there are none; leave out drift, or st"
        ):
            start(file).read()


@pytest.mark.parametrize("name", ORIGIN)
def test_those_of_another_origin_are_refused(name, tmp_path):
    start(tmp_path / "kept").keep(TENSORS)
    message = (
        rf"with other {name} \({ORIGIN[name]}, now other\); go on with the same corpus, .*, or start a new run folder"
    )
    with pytest.raises(ValueError, match=message):
        start(tmp_path / "kept", **{name: "other"}).read()


def test_an_origin_that_was_not_kept_is_another_one(tmp_path):
    start(tmp_path / "kept").keep(TENSORS)
    with pytest.raises(ValueError, match=r"with other reading \(None, now gate\)"):
        start(tmp_path / "kept", reading="gate").read()


def test_states_that_were_kept_before_origins_were_are_read(tmp_path):
    about = {"layers": list(TENSORS), "names": ["eng_Latn"], "ids": ["a"], "tokens": "abc", "pool": "mean"}
    oldest = {name: value for name, value in about.items() if name != "pool"}
    for number, values in enumerate((about, oldest)):
        file = tmp_path / f"{number}.safetensors"
        save_file(TENSORS, file, metadata={"about": json.dumps(values)})
        tensors, found = start(file).read()
        assert list(tensors) == list(TENSORS)
        assert (found["names"], found["ids"]) == (["eng_Latn"], ["a"])
        with pytest.raises(ValueError, match="with other tokens"):
            start(file, tokens="other").read()
    with pytest.raises(ValueError, match="with other pool"):
        start(tmp_path / "0.safetensors", pool="first").read()
    start(tmp_path / "1.safetensors", pool="first").read()


def test_masks_that_were_kept_without_their_order_are_read(tmp_path):
    save_file(TENSORS, tmp_path / "masks", metadata={"origin": json.dumps(ORIGIN)})
    tensors, about = start(tmp_path / "masks").read()
    assert {name: x.tolist() for name, x in tensors.items()} == {name: x.tolist() for name, x in TENSORS.items()}
    assert about == {}
    with pytest.raises(ValueError, match="with other pool"):
        start(tmp_path / "masks", pool="first").read()

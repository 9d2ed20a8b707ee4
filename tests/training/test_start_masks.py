import pytest
import torch

from babelscope.training.start_masks import StartMasks

ORIGIN = {"tokens": "abc", "reading": "gate", "scorer": "score(threshold=2.0)"}
MASKS = {"eng_Latn": torch.tensor([[True, False], [False, False]]), "deu_Latn": torch.ones(2, 2).bool()}


@pytest.mark.parametrize("on_disk", [True, False])
def test_what_was_kept_is_read_back(tmp_path, on_disk):
    file = tmp_path / "run" / "states" / "key-neurons-gate.safetensors" if on_disk else None
    start = StartMasks(file, ORIGIN)
    start.keep({language: ~mask for language, mask in MASKS.items()})
    start.keep(MASKS)
    for reader in [start] if file is None else [start, StartMasks(file, ORIGIN)]:
        masks = reader.read()
        assert set(masks) == set(MASKS)
        assert all(torch.equal(masks[language], mask) for language, mask in MASKS.items())
    assert file is None or [path.name for path in file.parent.iterdir()] == [file.name]


@pytest.mark.parametrize("change", ORIGIN)
def test_masks_of_another_origin_are_refused(tmp_path, change):
    StartMasks(tmp_path / "masks", ORIGIN).keep(MASKS)
    with pytest.raises(ValueError, match=f"but with other {change}; go on with the same, or start a new run folder"):
        StartMasks(tmp_path / "masks", {**ORIGIN, change: "other"}).read()


def test_there_are_none(tmp_path):
    for file, where in ((tmp_path / "masks", "masks"), (None, "memory")):
        with pytest.raises(ValueError, match=rf"Expected the key neurons of step 0 in .*{where}, but there are none"):
            StartMasks(file, ORIGIN).read()

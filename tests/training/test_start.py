import json

import pytest
import torch
from safetensors import safe_open

from babelscope.states.embed import Pooled
from babelscope.training.start import StartStates

LAYERS = {"0": torch.randn(6, 4), "10": torch.randn(6, 4), "2": torch.randn(6, 4), "final": torch.randn(6, 4)}
POOLED = Pooled(LAYERS, ("eng_Latn", "deu_Latn"), ("a", "b", "c"))


@pytest.mark.parametrize("place", ["memory", "disk"])
def test_what_is_kept_is_read_bit_by_bit_in_its_order(place, tmp_path):
    file = tmp_path / "states" / "layers.safetensors" if place == "disk" else None
    states = StartStates(file, "hash", "mean")
    states.keep(POOLED)
    again = (StartStates(file, "hash", "mean") if file else states).read()
    assert list(again.layers) == list(LAYERS)
    assert all(torch.equal(again.layers[layer], x) for layer, x in LAYERS.items())
    assert (again.languages, again.ids) == (POOLED.languages, POOLED.ids)
    if file:
        assert [path.name for path in file.parent.iterdir()] == [file.name]
        with safe_open(file, "pt") as kept:  # under the keys that runs began with before, so that they can be resumed
            assert json.loads(kept.metadata()["about"]).keys() == {"layers", "names", "ids", "tokens", "pool"}


@pytest.mark.parametrize("place", ["memory", "disk"])
def test_without_step_0_it_says_what_to_do(place, tmp_path):
    file = tmp_path / "none.safetensors" if place == "disk" else None
    with pytest.raises(ValueError, match=r"states of step 0 in .*, but there are none; leave out .* drift, or start"):
        StartStates(file, "hash", "mean").read()


def test_states_of_other_tokens_are_refused(tmp_path):
    StartStates(tmp_path / "kept", "hash", "mean").keep(POOLED)
    with pytest.raises(ValueError, match=r"to be of the tokens that are measured now, but they are of others"):
        StartStates(tmp_path / "kept", "other", "mean").read()


def test_states_that_were_pooled_otherwise_are_refused(tmp_path):
    StartStates(tmp_path / "kept", "hash", "first").keep(POOLED)
    with pytest.raises(ValueError, match=r"as they are now, by mean, but they were by first; go on with the same"):
        StartStates(tmp_path / "kept", "hash", "mean").read()

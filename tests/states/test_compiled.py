"""Hooks and `torch.compile`: what is seen or switched off is right, or it is an error, and never silently neither."""

import pytest
import torch

from babelscope.analyses.ablation import ablate
from babelscope.models.parts import parts_of
from babelscope.states import record, record_neurons
from tests.models.tiny import tiny_inputs, tiny_model

# torch's own, on importing its compiler
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.script_method:DeprecationWarning")


@pytest.fixture
def model():
    torch._dynamo.reset()
    yield tiny_model("bert", depth=2)
    torch._dynamo.reset()


def run(model):
    with torch.no_grad():
        return model(**tiny_inputs()).last_hidden_state


def mask_of(parts):
    return torch.rand(2, parts.neurons, generator=torch.Generator().manual_seed(0)) < 0.4


def test_code_made_before_passes_hooks_by_which_is_an_error(model):
    parts, compiled = parts_of(model), torch.compile(model, backend="eager")
    intact = run(compiled)
    with pytest.raises(ValueError, match="layers 1, 2 of this bert model did not"), ablate(parts, mask_of(parts)):
        run(compiled)
    with (
        pytest.raises(
            ValueError, match="Expected a bert model to run while its neurons are recorded, but no block did"
        ),
        record_neurons(parts, lambda layer, x: None, place="gate"),
    ):
        run(compiled)
    with (
        pytest.raises(ValueError, match=r"run equally often in a forward pass, but got 0 \(0x\)"),
        record(parts, lambda *seen: None),
    ):
        run(compiled)
    assert torch.equal(run(compiled), intact)


def test_code_made_inside_is_without_the_neurons_and_leaves_no_trace(model):
    parts, compiled = parts_of(model), torch.compile(model, backend="eager")
    mask, intact = mask_of(parts), run(model)
    with ablate(parts, mask):
        expected = run(model)
    for _ in range(2):  # made, and then used again
        with ablate(parts, mask):
            torch.testing.assert_close(run(compiled), expected)
    torch.testing.assert_close(run(compiled), intact)
    with pytest.raises(ValueError, match="did not"), ablate(parts, ~mask):  # made for other neurons
        run(compiled)
    assert torch.equal(run(model), intact)


def test_code_made_inside_is_recorded(model):
    parts, compiled = parts_of(model), torch.compile(model, backend="eager")
    plain, traced = [], []
    for seen, made in ((plain, model), (traced, compiled)):
        with record_neurons(parts, lambda layer, x, seen=seen: seen.append(x), place="down_input"):
            run(made)
    assert len(plain) == 2
    torch.testing.assert_close(traced, plain)

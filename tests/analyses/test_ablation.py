import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from babelscope.analyses.ablation import ablate, matched_masks
from babelscope.models.adapters import lora
from babelscope.models.families import FAMILIES
from babelscope.models.parts import parts_of
from babelscope.states.embed import evaluating
from tests.models.tiny import DEPTH, tiny_inputs, tiny_model


def random_mask(parts, *, share=0.4, seed=0):
    shape = (len(parts.blocks), parts.neurons)
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) < share


def adapted(model_type, task="base"):
    """A model with active adapters, on the down-projection of every block too."""
    base = tiny_model(model_type, task)
    row = FAMILIES[model_type]
    model = lora(base, targets=(*row.lora_targets, row.ffn_out.rsplit(".", maxsplit=1)[-1]))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.3)
    return model.eval()


def run(parts):
    with torch.no_grad():
        return parts.stack(**tiny_inputs()).last_hidden_state


def run_without(parts, mask, **options):
    with ablate(parts, mask, **options):
        return run(parts)


def zero_columns(model, mask):
    """Do the same to a copy of the model, for good: a neuron that is read by no one."""
    model = copy.deepcopy(model)
    for module, row in zip(parts_of(model).ffn_out, mask, strict=True):
        with torch.no_grad():
            if hasattr(module, "lora_A"):
                module.lora_A["default"].weight[:, row] = 0
            base = getattr(module, "base_layer", module)
            if hasattr(base, "nx"):  # GPT-2's Conv1D is transposed
                base.weight[row] = 0
            else:
                base.weight[:, row] = 0
    return model


def count_hooks(parts):
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in parts.model.modules())


@pytest.mark.parametrize("with_lora", [False, True], ids=["plain", "lora"])
@pytest.mark.parametrize("model_type", FAMILIES)
def test_both_places_are_a_neuron_that_no_one_reads(model_type, with_lora):
    model = adapted(model_type) if with_lora else tiny_model(model_type)
    parts = parts_of(model)
    mask = random_mask(parts)
    intact = run(parts)
    down, gate = run_without(parts, mask), run_without(parts, mask, place="gate")
    assert not torch.allclose(down, intact, atol=1e-2)
    torch.testing.assert_close(gate, down, rtol=0, atol=1e-6)
    torch.testing.assert_close(run(parts_of(zero_columns(model, mask))), down, rtol=1e-5, atol=1e-5)
    assert torch.equal(run(parts), intact)


@pytest.mark.parametrize("task", ["lm", "classification"])
@pytest.mark.parametrize("model_type", ["xlm-roberta", "mt5", "bloom", "llama"])
def test_a_head_reads_what_is_left(model_type, task):
    model = tiny_model(model_type, task)
    parts = parts_of(model)
    mask = random_mask(parts)
    inputs = tiny_inputs()
    if model_type == "mt5" and task == "lm":
        inputs["labels"] = inputs["input_ids"]
    with torch.no_grad(), ablate(parts, mask):
        ours = model(**inputs).logits
    with torch.no_grad():
        torch.testing.assert_close(ours, zero_columns(model, mask)(**inputs).logits, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("place", ["down_input", "gate"])
@pytest.mark.parametrize("model_type", ["bert", "llama"])
def test_zeros_are_exact_and_the_rest_is_left_alone(model_type, place):
    parts = parts_of(tiny_model(model_type))
    mask = torch.zeros(DEPTH, parts.neurons, dtype=torch.bool)
    mask[0, ::3] = True
    seen = []
    sites = {"down_input": parts.ffn_out, "gate": parts.ffn_gate}[place]

    def look():
        read = sites[0].register_forward_pre_hook if place == "down_input" else sites[0].register_forward_hook
        handle = read(lambda module, args, *output: seen.append((output or args)[0].clone()))
        run(parts)
        handle.remove()

    look()
    with ablate(parts, mask, place=place):
        look()
    before, after = seen
    assert not after[..., mask[0]].any()
    assert before[..., mask[0]].any()
    assert torch.equal(after[..., ~mask[0]], before[..., ~mask[0]])


def test_one_inside_another_adds_up():
    parts = parts_of(tiny_model("bloom"))
    first, second = random_mask(parts, seed=1), random_mask(parts, seed=2)
    with ablate(parts, first), ablate(parts, second, place="gate"):
        both = run(parts)
    torch.testing.assert_close(both, run_without(parts, first | second), rtol=0, atol=1e-6)
    with ablate(parts, first):
        run_without(parts, second)
        again = run(parts)
    assert torch.equal(again, run_without(parts, first))


def test_no_trace_is_left_even_after_an_error():
    parts = parts_of(adapted("bert"))
    mask = random_mask(parts)
    intact, hooks = run(parts), count_hooks(parts)

    def fail():
        with ablate(parts, mask):
            assert count_hooks(parts) > hooks
            run(parts)
            raise KeyError("the body's own")

    with pytest.raises(KeyError, match="the body's own"):
        fail()
    run_without(parts, mask)
    assert count_hooks(parts) == hooks
    assert torch.equal(run(parts), intact)


def test_a_pass_that_broke_off_and_was_made_again_counts():
    parts = parts_of(tiny_model("bert"))
    mask = random_mask(parts)

    def fail(module, args):
        raise MemoryError

    with ablate(parts, mask):
        handle = parts.blocks[1].attention.register_forward_pre_hook(fail)
        with pytest.raises(MemoryError):
            run(parts)
        handle.remove()
        again = run(parts)
    assert torch.equal(again, run_without(parts, mask))


def test_blocks_without_a_neuron_need_not_run():
    parts = parts_of(tiny_model("bert"))
    mask = torch.zeros(DEPTH, parts.neurons, dtype=torch.bool)
    mask[0, 3] = True
    with torch.no_grad(), ablate(parts, mask):
        parts.blocks[0](torch.zeros(1, 2, 32))


def test_blooms_exact_slices_pass_the_down_projection_by_and_not_the_gate():
    model = tiny_model("bloom", pretraining_tp=2, slow_but_exact=True)
    parts = parts_of(model)
    mask = random_mask(parts)
    with pytest.raises(ValueError, match=r"block 1 of a bloom model .*slow_but_exact=false") as caught:
        run_without(parts, mask)
    assert "\n" not in str(caught.value)
    torch.testing.assert_close(
        run_without(parts, mask, place="gate"), run_without(parts_of(tiny_model("bloom")), mask), rtol=1e-5, atol=1e-5
    )


def test_a_model_that_never_runs_is_an_error():
    parts = parts_of(tiny_model("bert"))
    with (
        pytest.raises(ValueError, match=r"layers 1, 2, 3, 4 of this bert model did not"),
        ablate(parts, random_mask(parts)),
    ):
        pass


def test_gradient_checkpointing_is_refused_while_training_and_fine_otherwise():
    for model_type in ("xlm-roberta", "mt5", "bloom", "llama"):
        model = tiny_model(model_type)
        parts = parts_of(model)
        mask = random_mask(parts)
        expected = run_without(parts, mask)
        model.activation_checkpointing_enable()
        model.train()
        with pytest.raises(ValueError, match=r"gradient checkpointing.*model\.eval\(\)"):
            run_without(parts, mask)
        with evaluating(model):
            assert torch.equal(run_without(parts, mask), expected)
        model.eval()
        assert torch.equal(run_without(parts, mask), expected)


def test_gradients_flow_past_the_neurons_that_are_left():
    parts = parts_of(tiny_model("bert"))
    mask = torch.zeros(DEPTH, parts.neurons, dtype=torch.bool)
    mask[:, :5] = True
    with ablate(parts, mask):
        parts.stack(**tiny_inputs()).last_hidden_state.sum().backward()
    gradient = parts.ffn_out[-1].weight.grad
    assert not gradient[:, :5].any()
    assert gradient[:, 5:].any()


def test_a_compiled_model_is_refused():
    model = tiny_model("bert")
    # as Module.compile leaves it, without the compiler, whose import alone warns
    model.encoder.layer[2]._compiled_call_impl = model.encoder.layer[2]._call_impl
    parts = parts_of(model)
    with pytest.raises(ValueError, match="compiled"), ablate(parts, random_mask(parts)):
        pass


@pytest.mark.parametrize(
    ("mask", "options", "message"),
    [
        (torch.zeros(DEPTH, 48, dtype=torch.bool), {}, "empty region"),
        (torch.ones(DEPTH, 47, dtype=torch.bool), {}, r"`mask` to be \(4, 48\).*got \(4, 47\)"),
        (torch.ones(DEPTH + 1, 48, dtype=torch.bool), {}, r"got \(5, 48\)"),
        (torch.ones(DEPTH, 48), {}, r"bool tensor .*torch\.float32"),
        (torch.ones(48, dtype=torch.bool), {}, r"of shape \(48,\)"),
        (torch.ones(DEPTH, 48, dtype=torch.bool), {"place": "output"}, "'down_input' or 'gate', but got 'output'"),
    ],
)
def test_masks_that_make_no_sense(mask, options, message):
    parts = parts_of(tiny_model("bert"))
    hooks = count_hooks(parts)
    with pytest.raises(ValueError, match=message) as caught, ablate(parts, mask, **options):
        pass
    assert "\n" not in str(caught.value)
    assert count_hooks(parts) == hooks


def test_blocks_that_share_their_activation_function_are_refused():
    model = tiny_model("bert")
    model.encoder.layer[1].intermediate.intermediate_act_fn = model.encoder.layer[0].intermediate.intermediate_act_fn
    parts = parts_of(model)
    with pytest.raises(ValueError, match="blocks share one"):
        run_without(parts, random_mask(parts), place="gate")


@settings(deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 5), st.integers(1, 12), st.floats(0, 0.5))
def test_matched_masks_have_as_many_neurons_in_every_layer_and_none_of_the_region(seed, layers, neurons, share):
    mask = torch.zeros(layers, neurons, dtype=torch.bool)
    generator = torch.Generator().manual_seed(seed)
    for row in mask:
        row[torch.randperm(neurons, generator=generator)[: int(share * neurons)]] = True
    before = mask.clone()
    drawn = matched_masks(mask, count=3, seed=seed)
    assert len(drawn) == 3
    for other in drawn:
        assert torch.equal(other.sum(1), mask.sum(1))
        assert not (other & mask).any()
    assert torch.equal(mask, before)


def test_matched_masks_by_seed():
    mask = torch.zeros(3, 200, dtype=torch.bool)
    mask[1, :20] = True
    one, two = matched_masks(mask, count=2, seed=0)
    assert not torch.equal(one, two)
    assert torch.equal(matched_masks(mask, count=5, seed=0)[1], two)
    assert not torch.equal(matched_masks(mask, count=1, seed=1)[0], one)
    counts = torch.stack(matched_masks(mask, count=900, seed=0)).sum(0)
    assert not counts[0].any()
    assert not counts[2].any()
    assert abs(counts[1, 20:].float() - 100).max() < 60  # every other neuron is as likely as any


@pytest.mark.parametrize(
    ("inside", "count", "message"),
    [(11, 1, r"layer 2 has 11 of 20 inside"), (3, 0, "`count` to be at least 1, but got 0")],
)
def test_masks_that_cannot_be_matched(inside, count, message):
    mask = torch.zeros(2, 20, dtype=torch.bool)
    mask[1, :inside] = True
    with pytest.raises(ValueError, match=message):
        matched_masks(mask, count=count, seed=0)

import pytest
import torch

from babelscope.models.adapters import lora
from babelscope.models.freeze import freeze
from babelscope.models.parts import parts_of
from babelscope.models.policies import FreezePolicy
from babelscope.training.restore import RestorableParts
from tests.models.tiny import DEPTH, tiny_model
from tests.training.runs import same, weights_of


@pytest.mark.parametrize("kind", ["xlm-roberta", "mt5", "bloom", "llama"])
def test_every_parameter_of_inputs_and_blocks_is_in_one_part(kind):
    model = tiny_model(kind, "lm")
    parts = parts_of(model)
    found = RestorableParts(parts)
    assert len(found.parameters) == DEPTH + 1
    ids = [id(p) for _, p in found.of(range(DEPTH + 1))]
    wanted = {id(p) for module in (*parts.inputs, *parts.blocks) for p in module.parameters()}
    assert len(ids) == len(set(ids))
    assert set(ids) == wanted
    assert id(parts.tokens.weight) in {id(p) for p in found.parameters[0].values()}


def test_only_what_trains_is_copied():
    adapted = lora(tiny_model("llama", "classification"))
    assert all("lora_" in name for name in RestorableParts(parts_of(adapted)).training(range(DEPTH + 1)))
    model = tiny_model("llama", "classification")
    freeze(parts_of(model), FreezePolicy(inputs=True, blocks=[(1, 2)]))
    parts, kept = RestorableParts(parts_of(model)), {}
    assert [len(parts.training([part])) > 0 for part in range(DEPTH + 1)] == [False, True, False, True, True]
    parts.copy(range(DEPTH + 1), kept)
    assert kept.keys() == {name for name, p in parts.of(range(DEPTH + 1)) if p.requires_grad}


def test_putting_back_is_exact_and_forgets_momentum_and_gradient():
    model = tiny_model("xlm-roberta", "lm")
    parts, before, kept = RestorableParts(parts_of(model)), weights_of(model), {}
    parts.copy(range(3), kept)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    moved = weights_of(model)
    parts.put_back(range(2), kept, [optimizer])
    after, low = weights_of(model), dict(parts.of(range(2)))
    assert same({n: after[n] for n in low}, {n: before[n] for n in low})
    assert same({n: after[n] for n in after.keys() - low.keys()}, {n: moved[n] for n in after.keys() - low.keys()})
    assert all(parameter.grad is None and parameter not in optimizer.state for parameter in low.values())
    assert len(optimizer.state) == len(after) - len(low)


def test_copies_are_their_own_and_only_of_the_parts_asked_for():
    model = tiny_model("bloom", "lm")
    parts, kept = RestorableParts(parts_of(model)), {}
    parts.copy(range(4), kept)
    first = {name: value.data_ptr() for name, value in kept.items()}
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1)
    parts.copy(range(2, 4), kept)
    assert kept.keys() == dict(parts.of(range(2, 4))).keys()
    assert all(value.data_ptr() == first[name] for name, value in kept.items())  # no second copy in memory
    assert all(torch.equal(value, model.get_parameter(name)) for name, value in kept.items())


def test_what_begins_or_ends_to_train_is_put_back_too():
    model = tiny_model("xlm-roberta", "lm")
    parts, before, kept = RestorableParts(parts_of(model)), weights_of(model), {}
    low, high = (list(parts.of([part])) for part in (1, 2))
    for _, parameter in low:
        parameter.requires_grad_(False)
    parts.copy(range(1, 3), kept)
    for _, parameter in low:
        parameter.requires_grad_(True)
    parts.copy_new(range(1, 3), kept)
    with torch.no_grad():
        for _, parameter in (*low, *high):
            parameter.add_(1)
    parts.copy_new(range(1, 3), kept)  # knows them by now
    for _, parameter in high:
        parameter.requires_grad_(False)
    parts.put_back(range(1, 3), kept, [])
    assert same(weights_of(model), before)
    assert parts.training(range(1, 3)).keys() == dict(low).keys()

"""A model that has memory for so many positions and no more."""

import logging

import pytest
import torch

from babelscope.models.parts import parts_of
from babelscope.states import DOWN_INPUT, GATE, STATES, count_firing, embed, embed_once, pool, prepare
from babelscope.states.back_off import BackOff, is_lack_of_memory
from tests.models.tiny import tiny_model, tiny_tokenizer

CPU = "[enforce fail at alloc_cpu.cpp:117] . DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."


ONEDNN = RuntimeError("could not create a primitive")


@pytest.fixture(
    params=[torch.OutOfMemoryError("CUDA out of memory."), RuntimeError(CPU), MemoryError(), ONEDNN],
    ids=["cuda", "host", "python", "onednn"],
)
def error(request):
    return request.param


def narrow(parts, positions, error):
    """Let block 2 fail above some positions, so that layers before it are through already."""
    ran = []

    def check(module, args, kwargs):
        x = args[0] if args else kwargs["hidden_states"]
        ran.append(x.shape[0] * x.shape[1])
        if ran[-1] > positions:
            raise error

    parts.blocks[2].register_forward_pre_hook(check, with_kwargs=True)
    return ran


@pytest.mark.parametrize("reading", [STATES, DOWN_INPUT, GATE], ids=lambda reading: reading.name)
def test_results_are_the_same_and_the_size_is_said_once(corpus, reading, error, caplog):
    prepared = prepare(corpus, tiny_tokenizer())
    expected = embed(parts_of(tiny_model("llama")), prepared, pool.mean, reading=reading).layers
    parts = parts_of(tiny_model("llama"))
    ran = narrow(parts, 100, error)
    with caplog.at_level(logging.WARNING):
        found = embed(parts, prepared, pool.mean, reading=reading).layers
    torch.testing.assert_close(dict(found), dict(expected), rtol=1e-4, atol=1e-5)
    failed = [size for size in ran if size > 100]
    assert ran[: len(failed)] == failed  # it settles at once
    assert len(failed) > 1
    (line,) = caplog.messages
    (settled,) = {int(word) for word in line.replace(";", " ").split("max_tokens=")[1].split()[:1]}
    assert max(size for size in ran if size <= 100) <= settled <= 100


def test_nothing_is_counted_twice(corpus, error):
    prepared = prepare(corpus, tiny_tokenizer())
    expected = count_firing(parts_of(tiny_model("llama")), prepared)
    parts = parts_of(tiny_model("llama"))
    narrow(parts, 100, error)
    found = count_firing(parts, prepared)
    assert torch.equal(found.tokens, expected.tokens)
    assert all(torch.equal(found.active[layer], count) for layer, count in expected.active.items())


def test_shares_of_processes_that_settle_apart_are_the_whole(corpus, error):
    prepared = prepare(corpus, tiny_tokenizer(), max_tokens=200)
    expected = embed(parts_of(tiny_model("bert")), prepared, pool.mean).layers
    shares = []
    for rank, positions in enumerate((60, 10_000)):
        parts = parts_of(tiny_model("bert"))
        narrow(parts, positions, error)
        shares.append(embed(parts, prepared.shard(rank, 2), pool.mean).layers)
    for layer, x in expected.items():
        torch.testing.assert_close(shares[0][layer] + shares[1][layer], x, rtol=1e-4, atol=1e-5)


def test_the_store_holds_the_whole(tmp_path, corpus, error):
    prepared = prepare(corpus, tiny_tokenizer())
    expected = embed(parts_of(tiny_model("bert")), prepared, pool.mean).layers
    parts = parts_of(tiny_model("bert"))
    narrow(parts, 100, error)
    found = embed_once(tmp_path, {}, parts, prepared, pool.mean).layers
    torch.testing.assert_close(dict(found), dict(expected), rtol=1e-4, atol=1e-5)


def test_a_text_that_does_not_fit_is_an_error_with_the_remedy(corpus, error):
    parts = parts_of(tiny_model("bert"))
    narrow(parts, 3, error)
    hooks = sum(len(module._forward_hooks) for module in parts.model.modules())
    with pytest.raises(ValueError, match=r"one text of \d+ tokens, .*model\.dtype=bfloat16") as caught:
        embed(parts, prepare(corpus, tiny_tokenizer()), pool.mean)
    assert "\n" not in str(caught.value)
    assert sum(len(module._forward_hooks) for module in parts.model.modules()) == hooks


def test_other_errors_are_not_caught(corpus):
    parts = parts_of(tiny_model("bert"))
    ran = narrow(parts, 3, RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        embed(parts, prepare(corpus, tiny_tokenizer()), pool.mean)
    assert len(ran) == 1
    assert not is_lack_of_memory(ValueError(CPU))


def test_torch_says_so_itself():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    assert is_lack_of_memory(caught.value)


def test_a_room_is_kept_to_from_the_start(corpus, caplog):
    (batch,) = prepare(corpus, tiny_tokenizer(), max_tokens=10_000).batches
    pieces = BackOff(90)
    made = list(pieces.run(batch, lambda piece: piece.input_ids.shape))
    assert torch.cat([piece.index for piece, _ in made]).tolist() == batch.index.tolist()
    assert all(rows * width <= 90 or rows == 1 for _, (rows, width) in made)
    pieces.report()
    assert not caplog.messages

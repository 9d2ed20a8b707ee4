import pytest
import torch

from babelscope.analyses.tokens.blocks import find_blocks
from babelscope.analyses.tokens.neighbours import count_scripts, find_neighbours
from babelscope.analyses.tokens.token_rows import token_rows


def plant(seed=0):
    g = torch.Generator().manual_seed(seed)
    return token_rows(torch.randn(100, 8, generator=g), [("Latn", "Cyrl", "Arab")[i % 3] for i in range(100)])


def interrupt(after):
    """A bar that a user interrupts after some blocks, and which remembers what it was told."""
    seen = []

    def progress(blocks, total, done):
        seen.append((total, done))
        for number, block in enumerate(blocks):
            if number == after:
                raise KeyboardInterrupt
            yield block

    return progress, seen


def find(tokens, store, progress, batch=30):
    return find_blocks(tokens, tokens.ids, 7, store=store, nearest=3, batch=batch, progress=progress)


def same(a, b):
    return all(
        torch.equal(x, y)
        for one, other in zip(a, b, strict=True)
        for x, y in ((one.ids, other.ids), (one.distances, other.distances), (one.neighbours, other.neighbours))
    )


def test_an_interrupted_search_goes_on_and_ends_alike(tmp_path):
    tokens = plant()
    whole = find(tokens, tmp_path / "whole", interrupt(99)[0])
    progress, seen = interrupt(2)
    with pytest.raises(KeyboardInterrupt):
        find(tokens, tmp_path / "cut", progress)
    finished = {file: file.stat().st_mtime_ns for file in (tmp_path / "cut").rglob("*.npy")}
    assert len(finished) == 4
    again, seen_again = interrupt(99)
    found = find(tokens, tmp_path / "cut", again)
    assert seen + seen_again == [(4, 0), (4, 2)]
    assert same(found, whole)
    assert all(file.stat().st_mtime_ns == then for file, then in finished.items())
    assert not list((tmp_path / "cut").rglob(".writing*"))


def test_a_missing_block_in_the_middle_is_found_again(tmp_path):
    tokens = plant()
    whole = find(tokens, tmp_path, interrupt(99)[0])
    folders = sorted(tmp_path.glob("*/block-*"))
    for number in (1, 3):
        folders[number].rename(tmp_path / str(number))
    progress, seen = interrupt(99)
    assert same(find(tokens, tmp_path, progress), whole)
    assert seen == [(4, 2)]


def test_what_is_finished_is_not_sought_again(tmp_path):
    tokens = plant()
    first = find(tokens, tmp_path, interrupt(99)[0])
    progress, seen = interrupt(0)
    assert same(find(tokens, tmp_path, progress), first)
    assert seen == []


def test_blocks_are_the_search_in_memory_and_are_counted_alike(tmp_path):
    tokens = plant()
    whole = find_neighbours(tokens, tokens.ids, 7)
    blocks = find(tokens, tmp_path, interrupt(99)[0])
    assert torch.equal(torch.cat([block.neighbours for block in blocks]), whole.neighbours)
    assert torch.equal(torch.cat([block.distances for block in blocks]), whole.distances[:, :3])
    counts = range(100)
    assert count_scripts(tokens, blocks, k=[3, 7], counts=counts) == count_scripts(
        tokens, [whole], k=[3, 7], counts=counts
    )


def test_blocks_of_other_settings_or_tokens_are_not_used(tmp_path):
    tokens = plant()
    find(tokens, tmp_path, interrupt(99)[0])
    fewer = token_rows(tokens.table, ["", *tokens.labels[1:]])
    for search in (
        lambda bar: find(tokens, tmp_path, bar, batch=50),
        lambda bar: find(fewer, tmp_path, bar),
        lambda bar: find_blocks(tokens, tokens.ids, 8, store=tmp_path, nearest=3, batch=30, progress=bar),
    ):
        progress, seen = interrupt(99)
        search(progress)
        assert [done for _, done in seen] == [0]

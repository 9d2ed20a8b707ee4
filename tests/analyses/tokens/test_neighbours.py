import random
from statistics import pstdev

import pytest
import torch

from babelscope.analyses.tokens.neighbours import (
    TokenNeighbours,
    count_scripts,
    draw_tokens,
    expected_scripts,
    find_neighbours,
)
from babelscope.analyses.tokens.token_rows import token_rows
from babelscope.metrics import nearest_neighbours
from babelscope.report import table as rows_on_disk


def values(rows):
    return {(row["metric"], row["language"], row["other"]): row["value"] for row in rows}


def plant(offset):
    g = torch.Generator().manual_seed(0)
    code = torch.arange(4).repeat(60)
    x = torch.randn(240, 16, generator=g) + offset * torch.randn(4, 16, generator=g)[code]
    return token_rows(x, [("Latn", "Cyrl", "Arab", "Hang")[i] for i in code])


def test_separated_scripts_have_one_script_among_neighbours():
    tokens = plant(20.0)
    found = values(count_scripts(tokens, [find_neighbours(tokens, tokens.ids, 10)], k=[5, 10], counts=range(240)))
    assert found["neighbour_scripts@10", "", ""] == 1
    assert found["neighbour_scripts_sd@10", "", ""] == 0
    assert found["neighbour_scripts_share@5", "", "1"] == 1
    assert found["neighbour_share@5", "Latn", "Latn"] == 1
    assert found["neighbour_share@5", "Latn", "Cyrl"] == 0
    assert found["neighbour_scripts_decile@5", "", "10"] == 1
    assert found["neighbour_share_null", "Latn", "Latn"] == pytest.approx(59 / 239)


def test_deciles_are_of_the_tokens_that_occur_the_rarest_first_and_others_are_apart():
    tokens = plant(0.0)
    near = find_neighbours(tokens, tokens.ids, 5)
    counts = [0 if token % 3 else 240 - token for token in range(240)]  # 80 occur, later ones more rarely
    found = values(count_scripts(tokens, [near], k=[5], counts=counts))
    distinct = {i: len({tokens.labels[j] for j in near.neighbours[i].tolist()}) for i in range(240)}
    occur = sorted((token for token in range(240) if counts[token]), key=lambda token: counts[token])
    for number in range(10):
        part = [distinct[token] for token in occur[8 * number : 8 * (number + 1)]]
        assert found["neighbour_scripts_decile@5", "", str(number + 1)] == pytest.approx(sum(part) / 8)
    unseen = [distinct[token] for token in range(240) if not counts[token]]
    assert found["neighbour_scripts_unseen@5", "", ""] == pytest.approx(sum(unseen) / 160)
    none = values(count_scripts(tokens, [near], k=[5], counts=[0] * 240))
    assert none["neighbour_scripts_unseen@5", "", ""] == none["neighbour_scripts@5", "", ""]
    assert not [key for key in none if key[0] == "neighbour_scripts_decile@5"]


def test_deciles_of_frequency_count_from_the_rarest():
    # two tokens to a decile, each counted as often as its place from the end, so that the last is the rarest
    tokens = token_rows(torch.eye(20), ["Latn", "Cyrl"] * 10)
    neighbours = torch.stack([torch.tensor([0, 0 if token >= 10 else 1]) for token in range(20)])
    block = TokenNeighbours(tokens.ids, torch.zeros(20, 2), neighbours)
    found = values(count_scripts(tokens, [block], k=[2], counts=range(20, 0, -1)))
    deciles = [found["neighbour_scripts_decile@2", "", str(number)] for number in range(1, 11)]
    assert deciles == [1] * 5 + [2] * 5


def test_random_table_reaches_the_null_and_equals_plain_counting(tmp_path):
    tokens = plant(0.0)
    near = find_neighbours(tokens, tokens.ids, 5, batch=50)
    _, brute = nearest_neighbours(tokens.table, 5)
    assert torch.equal(near.neighbours.long(), brute)
    rows = count_scripts(tokens, [near], k=[5])
    found = values(rows)
    distinct = [len({tokens.labels[j] for j in line}) for line in brute.tolist()]
    legacy = [len({tokens.labels[j] for j in [i, *line]}) for i, line in enumerate(brute.tolist())]
    assert found["neighbour_scripts@5", "", ""] == pytest.approx(sum(distinct) / 240)
    assert found["neighbour_scripts_legacy@5", "", ""] == pytest.approx(sum(legacy) / 240)
    assert found["neighbour_scripts_legacy_sd@5", "", ""] == pytest.approx(pstdev(legacy))
    assert found["neighbour_scripts_sd@5", "", ""] == pytest.approx(pstdev(distinct))
    assert found["neighbour_scripts@5", "", ""] == pytest.approx(found["neighbour_scripts_null@5", "", ""], abs=0.15)
    rows_on_disk.write(tmp_path, "n", [{"run": "", "step": 0, "epoch": 0, **row} for row in rows])
    rows_on_disk.read(tmp_path)  # no row twice


def test_expected_scripts_equals_simulation():
    others = [0] * 49 + [1] * 20 + [2] * 3
    draws = random.Random(0)
    seen = sum(len(set(draws.sample(others, 10))) for _ in range(20_000)) / 20_000
    assert expected_scripts(torch.tensor([50, 20, 3]), 0, 10) == pytest.approx(seen, abs=0.02)
    assert expected_scripts(torch.tensor([50, 20, 3]), 0, 72) == 3


def test_draws_and_refusals():
    tokens = plant(0.0)
    ids = draw_tokens(tokens, 0.1)
    assert len(ids.unique()) == 24
    assert torch.equal(ids, draw_tokens(tokens, 0.1))
    with pytest.raises(ValueError, match="argument `sample`"):
        draw_tokens(tokens, 0)
    near = find_neighbours(tokens, ids, 5)
    with pytest.raises(ValueError, match="argument `k`"):
        count_scripts(tokens, [near])
    with pytest.raises(ValueError, match="argument `counts`"):
        count_scripts(tokens, [near], k=[5], counts=[1])

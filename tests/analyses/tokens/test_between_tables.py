import pytest
import torch

from babelscope.analyses.tokens.between_tables import NamedTable, compare_tables, shared_tokens
from babelscope.analyses.tokens.token_rows import token_rows
from babelscope.metrics import nearest_neighbours
from babelscope.report import table as rows_on_disk
from tests.metrics.planted import randn


def model(name, x, pieces, labels=None):
    return NamedTable(name, token_rows(x, labels or ["Latn", "Cyrl"] * (len(x) // 2)), pieces)


def values(rows):
    return {(row["metric"], row["language"], row["other"]): row["value"] for row in rows}


@pytest.mark.parametrize("wrong", [{"k": 0}, {"sample": 0}])
def test_no_neighbours_or_no_tokens_are_no_question(wrong):
    a = model("a", randn(20, 4), [f"p{i}" for i in range(20)])
    with pytest.raises(ValueError, match="`k` and `sample` to be at least 1"):
        compare_tables(a, a, **wrong)


def test_a_rotated_table_is_the_same(tmp_path):
    x = randn(200, 12)
    rotation = torch.linalg.qr(randn(12, 12, seed=1)).Q
    order = torch.randperm(200, generator=torch.Generator().manual_seed(2))
    pieces = [f"p{i}" for i in range(200)]
    a = model("a", x, pieces)
    b = model("b", torch.cat([(x @ rotation)[order], randn(20, 12)]), [*(pieces[i] for i in order), *["new"] * 20])
    rows = compare_tables(a, b, k=10, sample=50)
    found = values(rows)
    assert found["shared_tokens", "a", "b"] == 200
    assert found["vocabulary_overlap", "a", "b"] == 1
    assert found["vocabulary_overlap", "b", "a"] == pytest.approx(200 / 201)
    assert found["shared_script_share", "Latn", "a|b"] == 0.5
    assert found["neighbour_overlap@10", "a", "b"] > 0.99
    assert found["angle_first", "a", "b"] == pytest.approx(1)
    assert found["angle_cosine_centred/0012", "a", "b"] == pytest.approx(1, abs=1e-6)
    rows_on_disk.write(tmp_path, "n", [{"run": "", "step": 0, "epoch": 0, **row} for row in rows])
    rows_on_disk.read(tmp_path)  # no row twice


def test_independent_tables_reach_the_null_and_plain_counting():
    x, y = randn(400, 12), randn(400, 20, seed=1)
    pieces = [f"p{i}" for i in range(400)]
    found = values(compare_tables(model("a", x, pieces), model("b", y, pieces), k=10, sample=None))
    near = [nearest_neighbours(table, 10)[1].tolist() for table in (x, y)]
    plain = sum(len({*p} & {*q}) for p, q in zip(*near, strict=True)) / 4000
    assert found["neighbour_overlap@10", "a", "b"] == pytest.approx(plain)
    assert plain == pytest.approx(found["neighbour_overlap_null@10", "a", "b"], abs=0.01)
    assert found["angle_first_centred", "a", "b"] == pytest.approx(found["angle_first_null", "a", "b"], abs=0.05)


def test_few_shared_tokens_have_no_angles_and_none_is_refused():
    a = model("a", randn(6, 8), list("abcdef"))
    found = values(compare_tables(a, model("b", randn(6, 8, seed=1), list("fexyza"))))
    assert found["shared_tokens", "a", "b"] == 3
    assert not any(metric.startswith("angle") for metric, *_ in found)
    with pytest.raises(ValueError, match="tokens that a and b share"):
        compare_tables(a, model("b", randn(2, 8), list("xy")))
    with pytest.raises(ValueError, match="at least two"):
        compare_tables(a, model("b", randn(2, 8), list("xa")))


def test_of_doubles_the_lowest_id_counts_and_unlabelled_are_left_out():
    a = model("a", randn(4, 2), ["x", "x", "y", "z"], ["L", "L", "", "L"])
    left, right = shared_tokens(a, model("b", randn(4, 2), ["z", "y", "x", "x"]))
    assert (left.tolist(), right.tolist()) == ([0, 3], [2, 0])

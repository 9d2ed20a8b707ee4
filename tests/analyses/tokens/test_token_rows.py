import pytest
import torch

from babelscope.analyses.tokens.token_rows import describe, token_rows
from babelscope.report import table as rows_on_disk


def test_what_is_left_out_is_reported(tmp_path):
    x = torch.randn(8, 4, generator=torch.Generator().manual_seed(0)).bfloat16()
    x[1] = 0
    tokens = token_rows(x, ["Latn", "Latn", "", "Cyrl", "Latn", "Latn"])
    assert tokens.ids.tolist() == [0, 3, 4, 5]
    assert (tokens.zero, tokens.padding, tokens.scripts) == ((1,), 2, ("Latn", "Cyrl"))
    assert tokens.codes.tolist() == [0, -1, -1, 1, 0, 0]
    rows = [{"run": "r", "step": 0, "epoch": 0, **row} for row in describe(tokens)]
    rows_on_disk.write(tmp_path, "tokens", rows)
    read = rows_on_disk.read(tmp_path).set_index(["metric", "language"])["value"]
    assert read["tokens_zero", ""] == 1
    assert read["tokens_padding", ""] == 2
    assert read["tokens", "Latn"] == 3
    assert read["tokens_unlabelled", ""] == 1


def test_tokens_without_a_label_need_no_row():
    x = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    tokens = token_rows(x, ["Latn", "", "Cyrl", "Latn", "", ""])
    assert (tokens.ids.tolist(), tokens.padding, len(tokens.table)) == ([0, 2, 3], 0, 4)
    assert tokens.codes.tolist() == [0, -1, 1, 0, -1, -1]
    assert {row["metric"]: row["value"] for row in describe(tokens)}["tokens_unlabelled"] == 3


def test_what_does_not_fit_is_refused():
    x = torch.ones(3, 2)
    with pytest.raises(ValueError, match=r"a row for each of 4 ordinary tokens .* has 3 rows, .* id 3 has none"):
        token_rows(x, ["Latn"] * 4)
    with pytest.raises(ValueError, match="floating-point table"):
        token_rows(x.int(), ["Latn"] * 3)
    with pytest.raises(ValueError, match="a label and a direction"):
        token_rows(x, ["", "", ""])
    with pytest.raises(ValueError, match="row 2 is not"):
        token_rows(torch.tensor([[1.0], [1.0], [torch.nan]]), ["Latn"] * 3)

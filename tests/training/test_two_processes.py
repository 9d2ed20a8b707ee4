"""Two processes of one training measure what one does: each embeds its share, and each step is scored once."""

import pandas as pd
import pytest

from babelscope.report.table import read
from tests.training.two_processes import train, train_by_two

KEYS = ["step", "epoch", "layer", "metric", "language", "other"]


def test_two_processes_give_the_numbers_of_one(tmp_path):
    train(tmp_path / "one", devices=1)
    train_by_two(tmp_path / "two")

    def both(name: str) -> tuple[pd.DataFrame, pd.DataFrame]:
        return read(tmp_path / "one" / name), read(tmp_path / "two" / name)

    one, two = both("")
    assert {"ilo", "size", "validation_loss", "validation_accuracy", "test_loss", "test_accuracy"} <= set(one["metric"])
    pd.testing.assert_frame_equal(one[KEYS], two[KEYS])
    start = one["step"] == 0
    assert (one["value"][start] == two["value"][start]).all()
    assert one["value"].to_numpy() == pytest.approx(two["value"].to_numpy(), abs=1e-3)

    one, two = both("tokens")
    assert one["step"].nunique() == 3
    pd.testing.assert_frame_equal(one, two, atol=1e-3)

    one, two = both("neurons")
    assert one["step"].nunique() == 3
    start = one["step"] == 0
    assert (one["value"][start] == two["value"][start]).all()
    level = one["metric"] == "level"  # a share of few neurons jumps where a level hardly moves
    pd.testing.assert_frame_equal(one[level], two[level], atol=1e-3)

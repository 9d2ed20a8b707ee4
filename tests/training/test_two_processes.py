"""Two processes of one training measure what one does: each embeds its share, and each step is scored once."""

import pandas as pd
import pytest

from babelscope.report.table import read
from tests.training.forked import in_two_ranks
from tests.training.two_processes import train_both

KEYS = ["step", "epoch", "layer", "metric", "language", "other"]


@pytest.fixture(scope="module")
def both(tmp_path_factory, server):
    """Gives the rows below a folder of the training by one process, and of that by two."""
    folder = tmp_path_factory.mktemp("processes")
    train_both(folder / "one", devices=1)
    (folder / "two").mkdir()
    in_two_ranks(folder, train_both, folder / "two", 2)
    return lambda name: (read(folder / "one" / name), read(folder / "two" / name), folder / "two" / name)


def test_two_processes_give_the_numbers_of_one(both):
    one, two, _ = both("measured")
    assert {"ilo", "size", "validation_loss", "validation_accuracy", "test_loss", "test_accuracy"} <= set(one["metric"])
    pd.testing.assert_frame_equal(one[KEYS], two[KEYS])
    start = one["step"] == 0
    assert (one["value"][start] == two["value"][start]).all()
    assert one["value"].to_numpy() == pytest.approx(two["value"].to_numpy(), abs=1e-3)

    one, two, _ = both("measured/tokens")
    assert one["step"].nunique() == 3
    pd.testing.assert_frame_equal(one, two, atol=1e-3)

    one, two, _ = both("measured/neurons")
    assert one["step"].nunique() == 3
    start = one["step"] == 0
    assert (one["value"][start] == two["value"][start]).all()
    level = one["metric"] == "level"  # a share of few neurons jumps where a level hardly moves
    pd.testing.assert_frame_equal(one[level], two[level], atol=1e-3)


def test_two_processes_guard_as_one(both):
    one, two, folder = both("guarded")
    assert "guard_freeze" in set(one["metric"])
    pd.testing.assert_frame_equal(one[KEYS], two[KEYS])
    assert one["value"].to_numpy() == pytest.approx(two["value"].to_numpy(), abs=1e-3)
    first, second = ((folder / f"rank-{rank}").read_text() for rank in (0, 1))
    assert first == second

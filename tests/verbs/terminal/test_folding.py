"""Every number and name of a table is shown, however narrow the terminal."""

import io

import pytest
from rich.console import Console

from babelscope.verbs.terminal.folding import fold

METRICS = ["ilo", "separability", "separability_control", "knn_lid_centred", "mutual_knn_null"]
NAMES = ["layer", *METRICS]
ROWS = [[layer, *(f"0.{layer}{place}1 → 0.{layer}{place}2" for place in range(5))] for layer in "01"]
WHOLE = 100
"""Cells of the table of these."""


def show(width, names=NAMES, rows=ROWS, **options):
    """Show the tables, each by its lines with something in them."""
    shown = []
    for table in fold(names, rows, width, **options):
        console = Console(file=io.StringIO(), width=width)
        console.print(table)
        shown.append([line for line in console.file.getvalue().splitlines() if line.strip()])
    return shown


@pytest.mark.parametrize("width", [40, 60, 80, WHOLE - 1])
def test_a_wide_table_goes_on_below(width):
    tables = show(width)
    assert len(tables) > 1
    heads = [table[0].split() for table in tables]
    assert {head[0] for head in heads} == {"layer"}
    assert [name for head in heads for name in head[1:]] == METRICS
    for place, row in enumerate(ROWS, start=2):
        assert " ".join(" ".join(table[place].split()[1:]) for table in tables) == " ".join(row[1:])
        assert {table[place].split()[0] for table in tables} == {row[0]}


def test_a_table_with_just_enough_room_is_one():
    (table,) = show(WHOLE)
    assert table[0].split() == NAMES
    assert len(table[1]) == WHOLE
    assert show(400)[0][2].rstrip() == table[2].rstrip()


def test_a_first_column_is_wrapped_before_numbers_go_below():
    (table,) = show(30, ["run", "score"], [["freeze=early adapter=lora", "0.123"]])
    assert [line.split() for line in table[2:]] == [["freeze=early", "0.123"], ["adapter=lora"]]
    (table,) = show(20, ["run", "score"], [["x" * 30, "0.123"]])
    assert "".join(line.split()[0] for line in table[2:]) == "x" * 30


def test_a_line_may_have_several_names():
    tables = show(37, ["model", "task", "source", "zero-shot"], [["a", "topic", "0.8", "0.7 ± 0.1"]], keys=2)
    assert [table[0].split() for table in tables] == [["model", "task", "source"], ["model", "task", "zero-shot"]]

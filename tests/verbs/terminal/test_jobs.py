"""The table of hundreds of jobs, followed in a terminal that has lines for few."""

from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from babelscope.sweeps.jobs import Job
from babelscope.verbs.terminal.jobs import followed, picture
from tests.sweeps.entries import ENTRY

STATES = ["done"] * 200 + ["failed"] * 8 + ["queued"] * 250 + ["running"] * 2 + ["unreadable"] + ["interrupted"] * 3


def jobs_in(states, error="Expected `k` to be smaller than the number of sentences, but got 40; lower it."):
    entries = [replace(ENTRY, overrides=[f"seed={number}"]) for number in range(len(states))]
    return [
        Job(Path(f"runs/{number:03d}"), state, entry, error if state == "failed" else "")
        for number, (state, entry) in enumerate(zip(states, entries, strict=True))
    ]


def lines_of(shown, console):
    console.print(shown)
    lines = console.file.getvalue().splitlines()
    assert len(lines) < console.height
    return [line.split() for line in lines if line.strip()]


def terminal(height, width=100):
    return Console(file=StringIO(), force_terminal=True, width=width, height=height, color_system=None)


def test_what_runs_and_what_failed_comes_first():
    lines = lines_of(followed(jobs_in(STATES), terminal(50)), terminal(50))
    assert " ".join(lines[0]) == ("464 jobs: 200 done, 2 running, 8 failed, 3 interrupted, 250 queued, 1 unreadable")
    shown = [words[0] for words in lines[3:-1] if words[0] in STATES]
    begin = ["running"] * 2 + ["failed"] * 8 + ["interrupted"] * 3 + ["unreadable"]
    assert shown[: len(begin)] == begin
    assert set(shown[len(begin) :]) == {"queued"}
    left = 250 - shown.count("queued")
    assert " ".join(lines[-1]) == f"not shown: 200 done, {left} queued"


@pytest.mark.parametrize("height", [1, 5, 8, 12, 24, 5000])
@pytest.mark.parametrize("width", [30, 80])
def test_no_line_is_lost_in_any_terminal(height, width):
    console = terminal(height, width)
    console.print(followed(jobs_in(STATES[190:230], "long words " * 20), console))
    lines = console.file.getvalue().splitlines()
    assert len(lines) < height or height < 12
    text = " ".join(" ".join(lines).split())
    assert text.startswith("40 jobs: 10 done, 8 failed, 22 queued")
    assert ("not shown: " in text) == (height < 5000)


def test_few_jobs_are_all_shown():
    console = terminal(50)
    assert "not shown" not in str(lines_of(followed(jobs_in(["done", "running"]), console), console))
    assert "not shown" not in str(lines_of(followed(jobs_in(["failed"] * 3), terminal(14)), terminal(14)))


def test_the_whole_table_keeps_its_order():
    console = terminal(1000)
    lines = lines_of(picture(jobs_in(STATES)), console)
    shown = [words[0] for words in lines if words[0] in STATES]
    assert shown == [state for state in STATES if state != "done"] + ["done"] * 200

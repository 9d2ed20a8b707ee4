"""A run whose last scores of layers are of an earlier step than its tests is named wherever they are shown."""

from dataclasses import replace
from pathlib import Path

from tests.report.study_runs import make_run, make_study
from tests.report.sweep.sweep_runs import make_sweep

from babelscope.report.last_steps import LastSteps, last_steps, say_early, say_last, say_unfinished
from babelscope.report.page import render
from babelscope.report.study.page import render_study
from babelscope.report.study.replicates import replicate_of
from babelscope.report.sweep.page import render_sweep
from babelscope.report.sweep.runs import sweep_run_of
from babelscope.verbs.terminal.console import console, print_settings, print_study
from babelscope.verbs.terminal.sweeps import print_sweep

SAID = "Layer scores stop at step"


def early(run):
    """The same run after the rows of its last measurement were removed."""
    last = run.rows["step"].max()
    return replace(run, rows=run.rows[(run.rows["layer"] == "") | (run.rows["step"] < last)])


def printed(show, *arguments):
    with console.capture() as heard:
        show(*arguments)
    return " ".join(heard.get().split())


def test_the_last_steps_of_a_run():
    assert last_steps(make_run("none").rows) == (80, 80)
    assert last_steps(early(make_run("none")).rows) == (40, 80)
    assert last_steps(make_run("none", tested=False).rows) == (80, None)
    assert last_steps(make_run("guard").rows) == (80, 80)  # the guard has steps of its own


def test_runs_are_named_whose_scores_end_early():
    runs = [make_run("none"), early(make_run("early"))]
    said = f"{SAID} 40 of 80 in freeze=early. Later rows are missing."
    assert say_early(runs) == said
    assert say_early(runs[:1]) == ""
    assert said in render(runs)
    many = [(name, None, LastSteps(1, 2)) for name in "abcde"]
    assert (
        say_last(many)
        == f"{SAID} 1 of 2 in a; at step 1 of 2 in b; at step 1 of 2 in c and 2 more. Later rows are missing."
    )


def test_replicates_that_end_at_several_steps_are_named():
    runs = [("a", "none", LastSteps(80, 80)), ("b", "none", LastSteps(40, None)), ("c", "early", LastSteps(60, 60))]
    assert say_last(runs) == "Runs of one setting end at several steps: b at step 40, a at step 80."
    assert say_last(runs[::2]) == ""


def test_a_comparison_says_so_in_the_terminal():
    runs = [make_run("none", metrics=("ilo",)), early(make_run("early", metrics=("ilo",)))]
    assert f"{SAID} 40 of 80 in freeze=early" in printed(print_settings, runs)
    assert SAID not in printed(print_settings, runs[:1])


def test_a_study_says_so_in_the_terminal_and_on_the_page():
    runs = make_study(("none", "early"), (0, 1))
    whole = [replicate_of(run) for run in runs]
    assert SAID not in printed(print_study, whole) + render_study(whole)
    torn = [replicate_of(run) for run in [early(runs[0]), *runs[1:]]]
    said = f"{SAID} 40 of 80 in none-eng_Latn-topic-0"
    assert said in printed(print_study, torn)
    assert said in render_study(torn)


def test_a_sweep_says_so_in_the_terminal_and_on_the_page():
    runs = make_sweep(("lab_xlmr", "lab_mt5"), ("none",), (0, 1), steps=3)
    whole = [sweep_run_of(run) for run in runs]
    page = Path("/pages/report.html")
    assert SAID not in printed(print_sweep, whole) + render_sweep(whole, [], page)
    torn = [sweep_run_of(run) for run in [early(runs[0]), *runs[1:]]]
    said = f"{SAID} 40 of 80 in lab_xlmr-topic-eng_Latn-none-0"
    assert said in printed(print_sweep, torn)
    assert said in render_sweep(torn, [], page)


def test_an_unfinished_run_is_named_on_the_page_and_in_the_terminal():
    runs = [make_run("none", finished=True), make_run("early", tested=False, finished=False)]
    said = "Not finished, so these scores are not of a whole training: freeze=early (last row at step 80)."
    assert say_unfinished(runs) == said
    assert say_unfinished(runs[:1]) == say_unfinished([make_run("early")]) == ""  # one from before manifests said so
    head = render(runs).partition('<section id="summary">')[0]
    assert f"<b>{said}</b>" in head
    assert f"<b>{said}</b>" in render(runs[1:])
    assert said in printed(print_settings, runs)
    assert "Not finished" not in render(runs[:1]) + printed(print_settings, runs[:1])


def test_it_is_said_how_far_a_run_came_where_that_is_known():
    run = make_run("early", tested=False, finished=False)
    for trainer, said in (
        ({"max_epochs": 5, "max_steps": -1}, "step 80, epoch 2 of 5"),
        ({"max_epochs": None, "max_steps": 132}, "step 80 of 132"),
        ({"max_epochs": None}, "step 80"),
    ):
        assert f"early (last row at {said})." in say_unfinished(
            [replace(run, config={**run.config, "trainer": trainer})]
        )

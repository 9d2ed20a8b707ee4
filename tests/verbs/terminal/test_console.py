"""Tables of several runs say what else than the setting differs between them."""

from dataclasses import replace

from babelscope.report.study.replicates import replicate_of
from babelscope.verbs.terminal.console import console, print_settings, print_study
from tests.report.study_runs import make_run, make_study


def printed(show, *arguments):
    with console.capture() as heard:
        show(*arguments)
    return " ".join(heard.get().split())


def of_checkpoint(run, path):
    return replace(run, config={**run.config, "model": {**run.config["model"], "checkpoint": path}})


def test_a_few_runs():
    runs = [make_run("none"), make_run("early")]
    assert "differ also" not in printed(print_settings, runs)
    shown = printed(
        print_settings, [of_checkpoint(run, path) for run, path in zip(runs, ("/a/x", "/b/x"), strict=True)]
    )
    assert 'differ also in: model.checkpoint ("/a/x" in freeze=none, "/b/x" in freeze=early).' in shown


def test_a_study_with_a_checkpoint_per_source_language():
    runs = make_study(("none", "early"), (0, 1), ("eng_Latn", "ind_Latn"), steps=2)
    assert "differ also" not in printed(print_study, [replicate_of(run) for run in runs])
    paths = {"eng_Latn": "/a/x", "ind_Latn": "/b/x"}
    apart = [replicate_of(of_checkpoint(run, paths[run.manifest["source_language"]])) for run in runs]
    assert 'They differ also in model.checkpoint: "/a/x" (4 runs); "/b/x" (4 runs).' in printed(print_study, apart)

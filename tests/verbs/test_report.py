import errno
import os
from dataclasses import replace

import pytest
import yaml

from babelscope.files import write_json
from babelscope.report.table import write
from babelscope.sweeps import submitted
from babelscope.sweeps.ledger import write_entry
from tests.report.study_runs import make_evaluation, make_study
from tests.report.sweep.sweep_runs import make_run, make_sweep, write_run
from tests.sweeps.entries import ENTRY
from tests.verbs.command import babelscope, refused, says, written


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, seed in (("one", 0), ("two", 1)):
        row = {"run": name, "epoch": 0, "metric": "ilo", "other": ""}
        rows = [
            {**row, "step": step, "layer": layer, "language": language, "value": 0.1 + 0.2 * step + 0.3 * seed}
            for step in (0, 1)
            for layer in ("0", "1", "2", "final")
            for language in ("eng_Latn", "deu_Latn", "")
        ]
        write(tmp_path / "runs" / name, "layers-00000000", rows)
        (tmp_path / "runs" / name / "run.yaml").write_text(f"seed: {seed}\n")
    return tmp_path / "runs"


def test_one_page_over_all_runs_and_nothing_else(runs, tmp_path):
    before = written(tmp_path)
    ended = babelscope("report", "runs=runs")
    assert (ended.code, ended.err) == (0, "")
    assert "seed=0" in ended.out
    assert "seed=1" in ended.out
    assert "0.100 → 0.300" in ended.out
    assert "Wrote runs/report.html" in ended.out
    assert written(tmp_path) == sorted([*before, "runs/report.html"])


def test_a_place_for_the_page(runs, tmp_path):
    ended = babelscope("report", "runs=runs/one", "page=pages/one.html")
    assert (ended.code, ended.err) == (0, "")
    assert "<html" in (tmp_path / "pages" / "one.html").read_text()[:200]


@pytest.mark.parametrize("value", ["", "[runs,other]", "1", "null", "{a: 1}"])
def test_runs_are_below_one_folder(runs, somewhere, value):
    line = refused("report", f"runs={value}")
    shown = {"": "''", "[runs,other]": "['runs', 'other']", "{a: 1}": "{'a': 1}"}.get(value, value)
    says(line, "`runs` to be text, one folder", f"but got {shown}; ", "runs=outputs", "the one that holds them all")


@pytest.mark.parametrize("value", ["", "1", "null", "[a]"])
def test_a_page_is_a_file(runs, somewhere, value):
    says(refused("report", f"runs={runs}", f"page={value}"), "`page` to be text, a file", "page=report.html")


def test_a_torn_part_is_named(runs):
    part = runs / "two" / "results" / "layers-00000000.parquet"
    part.write_bytes(part.read_bytes()[:50])
    ended = babelscope("report", "runs=runs")
    assert (ended.code, len(ended.lines)) == (2, 1)
    assert str(part.relative_to(runs.parent)) in ended.err
    assert not (runs / "report.html").exists()


def write_whole(run, root):
    folder = root / run.folder.name
    write(folder, "all", run.rows.to_dict("records"))
    write_json(folder, "manifest", dict(run.manifest))
    (folder / "run.yaml").write_text(yaml.safe_dump(dict(run.config)))


def test_evaluations_are_a_table_and_no_baseline(runs, tmp_path):
    write_whole(make_evaluation(), tmp_path / "only")
    ended = babelscope("report", "runs=only")
    assert (ended.code, ended.err) == (0, "")
    assert "Wrote only/report.html" in ended.out
    assert "xcopa/acc" in (tmp_path / "only" / "report.html").read_text()
    write_whole(make_evaluation(), runs)
    ended = babelscope("report", "runs=runs")
    assert (ended.code, ended.err) == (0, "")
    assert "evaluated" not in ended.out
    page = (runs / "report.html").read_text()
    assert page.count("xcopa/acc") == 1
    assert "2: seed=0, seed=1" in page


def test_repeated_settings_become_a_study(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for run in [*make_study(("none", "early_half"), (0, 1), steps=2), make_evaluation()]:
        write_whole(run, tmp_path / "sweep")
    ended = babelscope("report", "runs=sweep")
    assert (ended.code, ended.err) == (0, "")
    row = next(line for line in ended.out.splitlines() if "early_half" in line)
    assert row.split()[1] == "2"
    assert row.count("±") == 4
    assert "over n seeds" in ended.out
    assert "Wrote sweep/report.html" in ended.out
    page = (tmp_path / "sweep" / "report.html").read_text()
    assert "Which layers to freeze" in page
    assert page.count("xcopa/acc") == 1


def test_several_models_become_a_sweep_and_a_study_when_asked(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for run in [*make_sweep(("lab_xlmr", "lab_mt5"), ("none", "early"), (0, 1)), make_evaluation()]:
        write_run(run, tmp_path / "sweep")
    ended = babelscope("report", "runs=sweep")
    assert (ended.code, ended.err) == (0, "")
    row = next(line for line in ended.out.splitlines() if "lab_mt5" in line and "early" in line)
    assert row.split()[:5] == ["lab_mt5", "early", "eng_Latn", "topic", "2"]
    assert row.count("±") == 2
    assert "add study=true" in ended.out
    assert "Wrote sweep/report.html" in ended.out
    page = (tmp_path / "sweep" / "report.html").read_text()
    assert "8 runs of 2 models" in page
    assert page.count("xcopa/acc") == 1
    ended = babelscope("report", "runs=sweep", "study=true", "page=pages/all.html")
    assert (ended.code, ended.err) == (0, "")
    assert "Wrote pages/all.html and pages/all_study.html" in ended.out
    assert 'href="all_study.html"' in (tmp_path / "pages" / "all.html").read_text()
    assert "Which layers to freeze" in (tmp_path / "pages" / "all_study.html").read_text()
    assert babelscope("report", "runs=sweep", "study=maybe").lines == [
        "babelscope: Expected `study` to be true or false, but got 'maybe'; write study=true."
    ]


def test_many_runs_that_repeat_nothing_become_a_sweep(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = [f"early_{place}" for place in range(13)]
    for run in make_sweep(("lab_xlmr",), settings, (0,)):
        write_run(run, tmp_path / "sweep")
    assert babelscope("report", "runs=sweep").code == 0
    assert "13 runs of 1 model" in (tmp_path / "sweep" / "report.html").read_text()


def test_what_a_sweep_lacks_is_named_and_the_rest_is_shown(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    root = tmp_path / "sweep"
    torn, headless, older, fine = (
        write_run(run, root) for run in make_sweep(("lab_xlmr", "lab_mt5"), ("none",), (0, 1))
    )
    fine = write_run(make_run("lab_bloom"), root)
    part = next((torn / "results").glob("layers-*"))
    part.write_bytes(part.read_bytes()[:50])
    (headless / "run.yaml").write_text("seed: [1")
    (older / "manifest.json").unlink()
    for part in (write_run(make_run("lab_llama"), root) / "results").iterdir():
        part.unlink()  # begun, and nothing measured yet
    write_entry(root / "never-began", replace(ENTRY, state="failed", error="no room"))
    write_entry(fine, replace(ENTRY, state="done"))
    ended = babelscope("report", "runs=sweep")
    assert (ended.code, ended.err) == (0, "")
    page = (root / "report.html").read_text()
    for said in (f"unreadable: {torn.name}", f"unreadable: {headless.name}", "failed: never-began no room"):
        assert said in ended.out
    for said in (torn.name, headless.name, "never-began", "no room", "2 unfinished", "2 unreadable"):
        assert said in page
    assert "Excluded from all means: 2 unfinished runs." in ended.out


def test_jobs_that_all_failed_are_a_page(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_entry(tmp_path / "sweep" / "one", replace(ENTRY, state="failed", error="no room"))
    ended = babelscope("report", "runs=sweep")
    assert (ended.code, ended.err) == (0, "")
    assert "no room" in (tmp_path / "sweep" / "report.html").read_text()


@pytest.mark.parametrize(
    ("place", "words"),
    [("runs", ("page=runs/report.html",)), ("/proc/x.html", ("page=FILE",)), ("runs/one/run.yaml/x", ("page=FILE",))],
)
def test_a_page_that_cannot_be_written_is_named(runs, tmp_path, place, words):
    before = written(tmp_path)
    ended = babelscope("report", "runs=runs", f"page={place}")
    assert (ended.code, len(ended.lines)) == (2, 1)
    assert all(word in ended.err for word in ("`page`", place, *words))
    assert ".tmp" not in ended.err
    assert "output=" not in ended.err
    assert written(tmp_path) == before


def test_a_full_disk_is_said_of_the_page(runs, monkeypatch):
    def full(*args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    ended = babelscope("report", "runs=runs")
    assert (ended.code, len(ended.lines)) == (2, 1)
    assert all(word in ended.err for word in ("`page`", "full disk", "page=FILE"))


def test_a_file_and_a_bare_path_are_no_folder_of_runs(runs):
    ended = babelscope("report", "runs=runs/one/run.yaml")
    assert (ended.code, len(ended.lines)) == (2, 1)
    assert "got a file; give its folder, as runs=runs/one." in ended.err
    ended = babelscope("report", "runs")
    assert (ended.code, len(ended.lines)) == (2, 1)
    assert "runs=runs of babelscope report" in ended.err


def test_a_run_without_rows_is_named_and_left_out(runs):
    for part in (runs / "two" / "results").iterdir():
        part.unlink()
    ended = babelscope("report", "runs=runs")
    assert (ended.code, ended.err) == (0, "")
    assert "Left out runs/two, whose results/ has no rows" in ended.out
    assert "seed=1" not in ended.out
    alone = babelscope("report", "runs=runs/two")
    assert (alone.code, len(alone.lines)) == (2, 1)
    assert "a run with rows" in alone.err
    assert "Left out" not in alone.out


def test_runs_that_are_not_comparable_are_said_to_be(runs):
    assert "not comparable" not in babelscope("report", "runs=runs").out
    for name, k in (("one", 5), ("two", 9)):
        (runs / name / "run.yaml").write_text(f"seed: 0\nmetrics: {{ilo: {{k: {k}}}}}\n")
    said = [line for line in babelscope("report", "runs=runs").out.splitlines() if "not comparable" in line]
    assert len(said) == 1
    assert "ilo.k (5 in one, 9 in two)" in said[0]


def test_a_manifest_of_another_kind_is_one_line(runs):
    (runs / "one" / "manifest.json").write_text('{"trainable": 3, "layers": null}')
    for given in ("runs", "runs/one"):
        ended = babelscope("report", f"runs={given}")
        assert (ended.code, len(ended.lines)) == (2, 1)
        assert "`trainable` in runs/one/manifest.json" in ended.err
        assert not list(runs.rglob("report.html"))


def test_a_job_that_waits_in_the_queue_did_not_fail(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "squeue").write_text("#!/bin/sh\nprintf '7|7|PENDING\\n'\n")
    (tmp_path / "squeue").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    for name in ("again", "broke"):
        write_entry(tmp_path / "sweep" / name, replace(ENTRY, state="failed", error="no room"))
    submitted.record_submission(tmp_path / "sweep" / "again", "7", "logs")
    ended = babelscope("report", "runs=sweep")
    assert (ended.code, ended.err) == (0, "")
    assert "failed: broke" in ended.out
    assert "failed: again" not in ended.out
    page = (tmp_path / "sweep" / "report.html").read_text()
    assert "1 failed" in page
    assert "1 queued" in page

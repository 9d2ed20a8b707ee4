import pytest
import yaml

from babelscope.report.table import write, write_json
from babelscope.sweeps.ledger import write_entry
from tests.report.study_runs import make_evaluation, make_study
from tests.report.sweep.sweep_runs import make_run, make_sweep, write_run
from tests.report.sweep.test_jobs import make_entry
from tests.verbs.command import babelscope, written


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
    assert "over seeds (n)" in ended.out
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
    write_entry(root / "never-began", make_entry("failed", error="no room"))
    write_entry(fine, make_entry())
    ended = babelscope("report", "runs=sweep")
    assert (ended.code, ended.err) == (0, "")
    page = (root / "report.html").read_text()
    for said in (f"unreadable: {torn.name}", f"unreadable: {headless.name}", "failed: never-began no room"):
        assert said in ended.out
    for said in (torn.name, headless.name, "never-began", "no room", "1 unfinished", "2 unreadable"):
        assert said in page
    assert "1 runs are not finished" in ended.out


def test_jobs_that_all_failed_are_a_page(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_entry(tmp_path / "sweep" / "one", make_entry("failed", error="no room"))
    ended = babelscope("report", "runs=sweep")
    assert (ended.code, ended.err) == (0, "")
    assert "no room" in (tmp_path / "sweep" / "report.html").read_text()

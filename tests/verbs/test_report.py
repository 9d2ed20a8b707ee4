import pytest
import yaml

from babelscope.report.table import write, write_json
from tests.report.study_runs import make_evaluation, make_study
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

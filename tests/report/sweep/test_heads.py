import json

from tests.report.sweep.sweep_runs import make_run, write_run

from babelscope.report.sweep.heads import read_heads
from babelscope.report.table import run_folders


def test_run_folders_that_cannot_be_read_are_named(tmp_path):
    for seed in range(4):
        write_run(make_run(seed=seed), tmp_path)
    one, two, three, four = run_folders(tmp_path)
    (one / "run.yaml").write_text("seed: [1")
    (two / "manifest.json").write_text("{")
    (three / "manifest.json").write_text(json.dumps(["no", "mapping"]))
    heads, unreadable = read_heads(run_folders(tmp_path))
    assert [head.folder for head in heads] == [four]
    assert [job.folder for job in unreadable] == [one, two, three]
    assert all(job.error and "\n" not in job.error for job in unreadable)

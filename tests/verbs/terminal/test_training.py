import json

import pytest

from babelscope.verbs.terminal.training import show_training
from tests.report.conftest import write_run


@pytest.mark.parametrize(("steps", "is_early"), [(80, False), (90, True)])
def test_it_says_where_the_final_model_was_not_measured(steps, is_early, tmp_path, capsys):
    folder = write_run(tmp_path / "run", steps=3, pairs=False)
    show_training(folder, [], [], steps=steps, page=False)
    assert ("Layers were last measured at step 80 of 90 (averaged weights" in capsys.readouterr().out) is is_early
    assert not (folder / "report.html").exists()


def test_a_run_without_rows_has_nothing_to_show(tmp_path, capsys):
    show_training(tmp_path, [], [], steps=8, page=True)
    assert capsys.readouterr().out.startswith("No callback wrote rows, so there are no tables and no page; add ")


def test_a_training_that_has_ended_is_not_called_unfinished(tmp_path, capsys):
    folder = write_run(tmp_path / "run", steps=3, pairs=False)
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "finished": False}))
    show_training(folder, [], [], steps=80, page=True)
    html = (folder / "report.html").read_text()
    assert "Not finished" not in html + capsys.readouterr().out
    assert "&quot;finished&quot;: true" in html

"""Names of the other direction do not swap with what stands beside them."""

from dataclasses import replace
from pathlib import Path

from tests.report.sweep.sweep_runs import LANGUAGES, make_sweep
from tests.report.sweep.test_page import PAGE, ask
from tests.report.test_page import needs_browser
from tests.sweeps.entries import ENTRY

from babelscope.report.sweep.page import render_sweep
from babelscope.report.sweep.runs import sweep_run_of
from babelscope.sweeps.jobs import Job

NAME = "נמוד"
APART = f"\u2068{NAME}\u2069"


@needs_browser
def test_joined_names_are_isolated_and_files_hold_them_bare(tmp_path):
    runs = [sweep_run_of(run) for run in make_sweep((NAME,), ("none",), (0, 1), languages=LANGUAGES[:3])]
    html = render_sweep(
        runs, [Job(Path("/runs/job"), "failed", replace(ENTRY, overrides=[f"model={NAME}", "lr=9"]))], PAGE
    )
    assert f"<dd>{APART}</dd>" in html
    assert f"<td>\u2068model={NAME}\u2069 lr=9</td>" in html
    script = """
      let file = "";
      save = (_, text) => (file = text);
      const list = document.querySelector('select[name="rows"]');
      list.value = "2";
      list.dispatchEvent(new Event("change"));
      document.querySelector("#transfer .download").click();
      const say = (query) => document.querySelector(query).textContent;
      const [card, row, filter] = [".card:nth-child(2) em", "#transfer tbody th", ".filter summary"].map(say);
      return { card, row, filter, file };"""
    found, _ = ask(html, tmp_path, script)
    assert found["card"].startswith(f"{APART}, none, from eng_Latn, ± ")
    assert found["row"] == f"{APART}, from eng_Latn"
    assert found["filter"] == f"Model: {APART}"
    assert f'\n"{NAME}, from eng_Latn",' in found["file"]

"""Paper does not scroll: nothing of a table may be clipped, pinned or off the sheet."""

from tests.report.sweep.sweep_runs import make_run
from tests.report.sweep.test_page import PAGE, ask
from tests.report.test_page import needs_browser
from tests.report.test_style import AS_PRINTED

from babelscope.report.sweep.page import render_sweep
from babelscope.report.sweep.runs import sweep_run_of


@needs_browser
def test_every_column_is_on_the_sheet(tmp_path):
    languages = ("eng_Latn", *(f"l{place:02d}x_Latn" for place in range(39)))
    runs = [sweep_run_of(make_run(model, languages=languages)) for model in ("lab_xlmr", "lab_mt5")]
    script = (
        AS_PRINTED
        + """
      const right = document.body.getBoundingClientRect().right;
      const cells = [...document.querySelectorAll(".place th, .place td")].filter((cell) => cell.offsetParent);
      const boxes = [...document.querySelectorAll(".scroll")];
      const heads = (table) => [...table.tHead.rows[0].cells].slice(1).map((cell) => cell.textContent);
      const tables = [...document.querySelectorAll("#transfer table")].filter((table) => !table.hidden);
      const found = {
        off: cells.filter((cell) => cell.getBoundingClientRect().right > right + 1).map((cell) => cell.textContent),
        pinned: cells.filter((cell) => getComputedStyle(cell).position === "sticky").length,
        clipped: boxes.filter((box) => getComputedStyle(box).overflowX !== "visible").length,
        languages: tables.flatMap(heads),
        names: tables.map((table) => table.tBodies[0].rows[0].cells[0].textContent),
      };
      dispatchEvent(new Event("afterprint"));
      const after = [...document.querySelectorAll("#transfer table")];
      return { ...found, after: after.map((table) => table.hidden) };"""
    )
    found, _ = ask(render_sweep(runs, [], PAGE), tmp_path, script)
    assert found["off"] == []
    assert (found["pinned"], found["clipped"]) == (0, 0)
    assert sorted(found["languages"]) == sorted(languages)
    assert found["names"] == ["lab_mt5"] * 3
    assert found["after"] == [False]

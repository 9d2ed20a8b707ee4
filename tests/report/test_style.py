"""Long names break instead of widening the page, and paper shows all that a screen scrolls to."""

import json
from math import nan

import pytest
from tests.report.study_runs import make_study
from tests.report.test_page import browse, needs_browser

from babelscope.report.figures.style import clean
from babelscope.report.page import render
from babelscope.report.study.page import render_study
from babelscope.report.study.replicates import replicate_of

LONG = "x" * 100
AS_PRINTED = """
      for (const sheet of document.styleSheets)
        for (const rule of sheet.cssRules)
          if (rule.media?.mediaText === "print") rule.media.mediaText = "all";
      document.body.style.width = "718px"; // A4 between its margins
      dispatchEvent(new Event("beforeprint"));
"""
"""JavaScript that shows a page as paper would."""
WIDE = """
      const right = document.body.getBoundingClientRect().right;
      const named = "h1, h2, h3, p, .card, .card *, .legend > *, .tabs button, figcaption, .facts dd";
      const found = [...document.querySelectorAll(named)].filter((box) => box.offsetParent);
      const wide = [
        found.filter((box) => box.getBoundingClientRect().right > right + 1),
        found.filter((box) => box.clientWidth && box.scrollWidth > box.clientWidth + 1),
        [...document.querySelectorAll("table:not(.claims) tbody th")].filter((cell) => cell.offsetWidth > 400),
      ];
      const say = (boxes) => boxes.map((box) => box.outerHTML.slice(0, 60));
      document.documentElement.dataset.result = JSON.stringify(wide.map(say));
"""


def ask(html, folder, script):
    tags = browse(html.replace("</body>", f"<script>{script}</script></body>"), folder, "#all")
    return json.loads(next(attributes for tag, attributes in tags if tag == "html")["data-result"])


@pytest.fixture(scope="module")
def pages():
    runs = make_study(("none", LONG), range(2))
    for run in runs:
        run.manifest["model"] = LONG
    return {"comparison": render(runs[::2]), "study": render_study([replicate_of(run) for run in runs])}


@needs_browser
@pytest.mark.parametrize("name", ["comparison", "study"])
@pytest.mark.parametrize("width", [1140, 372])
def test_long_names_break(pages, name, width, tmp_path):
    found = ask(
        pages[name], tmp_path, f'document.body.style.width = "{width}px"; document.body.style.padding = 0;{WIDE}'
    )
    assert found == [[], [], []]


@needs_browser
@pytest.mark.parametrize("name", ["comparison", "study"])
def test_tables_are_whole_on_paper(pages, name, tmp_path):
    script = """
      const right = document.body.getBoundingClientRect().right;
      const cells = [...document.querySelectorAll("th, td")].filter((cell) => cell.offsetParent);
      const off = cells.filter((cell) => cell.getBoundingClientRect().right > right + 1);
      const boxes = [...document.querySelectorAll(".scroll")];
      const clipped = boxes.filter((box) => getComputedStyle(box).overflowX !== "visible");
      const result = [off.map((cell) => cell.textContent), clipped.length];
      document.documentElement.dataset.result = JSON.stringify(result);"""
    assert ask(pages[name], tmp_path, AS_PRINTED + script) == [[], 0]


def test_numbers_of_figures_keep_what_an_eye_can_use():
    assert clean([0.123456, -0.05, 12345.678912, nan]) == [0.1235, -0.05, 12345.6789, None]
    assert clean([0.0000234567, -0.0000198, 0.001234567]) == [0.0000235, -0.0000198, 0.00123]
    assert clean([1e-8, -3e-17, 0.0]) == [0.0, 0.0, 0.0]  # rounding would fill an axis of its own

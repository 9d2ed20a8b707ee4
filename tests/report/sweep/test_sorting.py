"""A table stays sorted by the column that the reader chose, whatever comes and goes around it."""

import pytest
from tests.report.sweep.sweep_runs import LANGUAGES, make_sweep
from tests.report.sweep.test_page import PAGE, ask
from tests.report.test_page import needs_browser

from babelscope.report.sweep.page import render_sweep
from babelscope.report.sweep.runs import sweep_run_of

HELPERS = """
  const heads = () => [...document.querySelectorAll("#transfer thead button")];
  const press = (name) => heads().find((head) => head.textContent === name).click();
  const sorted = (id) => document.querySelector(`#${id} th[aria-sort$=ending]`)?.textContent;
  const boxes = [...document.querySelectorAll('input[name="languages"]')];
  const take = (name) => boxes.find((box) => box.parentElement.textContent.trim() === name).click();
  const choose = (list, place) => {
    const found = document.querySelector(`select[name="${list}"]`);
    found.value = place;
    found.dispatchEvent(new Event("change"));
  };
  const names = heads().map((head) => head.textContent);
  const column = (place) =>
    [...document.querySelectorAll("#transfer tbody tr")].map((row) => Number(row.cells[place].textContent));
"""


@pytest.fixture(scope="module")
def page():
    made = make_sweep(("lab_xlmr", "lab_mt5", "lab_bloom"), ("none", "early"), (0, 1), languages=LANGUAGES[:6])
    return render_sweep([sweep_run_of(run) for run in made], [], PAGE)


@needs_browser
def test_a_sort_follows_its_language_and_ends_with_it(page, tmp_path):
    script = """
      press(names[3]);
      take(names[1]); // a column before it goes
      const [before, values] = [sorted("transfer"), column(2)];
      take(names[3]); // its own column goes
      const gone = sorted("transfer");
      take(names[3]);
      const again = sorted("transfer");
      press(heads().at(-1).textContent); // the last, which then goes
      take(heads().at(-1).textContent);
      choose("part", 1);
      choose("moment", 0);
      const caption = document.querySelector("#best .place caption").textContent;
      return { chosen: names[3], before, values, gone, again, caption };"""
    found, _ = ask(page, tmp_path, HELPERS + script)
    assert found["before"] == found["chosen"]
    assert found["values"] == sorted(found["values"], reverse=True)
    assert found.keys().isdisjoint({"gone", "again"})  # undefined
    assert "Best layer" in found["caption"]


@needs_browser
def test_a_sort_stays_where_only_the_name_of_its_column_changes(page, tmp_path):
    script = """
      document.querySelectorAll("#groups thead button")[6].click();
      document.querySelectorAll("#runs thead button")[9].click();
      press("model");
      const first = [sorted("groups"), sorted("runs"), sorted("transfer")];
      choose("metric", 1);
      choose("rows", 1);
      return { first, then: [sorted("groups"), sorted("runs"), sorted("transfer")] };"""
    found, _ = ask(page, tmp_path, HELPERS + script)
    assert found["first"] == ["MEXA, best layer, after fine-tuning"] * 2 + ["model"]
    assert found["then"] == ["ILO, best layer, after fine-tuning"] * 2 + ["model and setting"]

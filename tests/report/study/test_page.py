import base64
import json
import re
from io import StringIO

import pandas as pd
import pytest
from plotly.offline import get_plotlyjs
from tests.report.study_runs import LANGUAGES, make_run, make_study
from tests.report.test_page import browse, needs_browser, panels, parse

from babelscope.report.page import render
from babelscope.report.study.page import render_study, write_study_page
from babelscope.report.study.replicates import reduce

SETTINGS = ("none", "early", "early_half", "last", "guard")
HOSTILE = 'x"><script>alert(1)</script><img src=x onerror=alert(2)>'


def page_of(runs):
    return render_study([reduce(run) for run in runs])


@pytest.fixture(scope="module")
def runs():
    return [
        *make_study(SETTINGS, range(3), ("eng_Latn", "ind_Latn")),
        *make_study(("none", "early_half"), range(2), task="lm"),
        make_run("last", 7, tested=False),
    ]


@pytest.fixture(scope="module")
def page(runs):
    return page_of(runs)


def test_the_page_loads_nothing_from_elsewhere_and_holds_no_raw_rows(page):
    rest = page.replace(get_plotlyjs(), "")
    assert not re.search(r"https?://|url\(|@import", rest)
    for tag, attributes in parse(page).tags:
        assert "src" not in attributes
        assert tag != "link" or attributes["href"] == "data:,"
    assert len(rest) < 2_000_000


def test_it_reads_off_which_layers_to_freeze(page):
    text = re.sub(r"<[^>]+>", " ", page)
    for said in (
        "Which layers to freeze",
        "Best zero-shot accuracy here: early_half (frozen: inputs, blocks 0-2)",
        "6 (seed, source) pairs",
        "on the frontier",
        "34 finished, 1 unfinished",
        "Left out of all means: 1 unfinished",
        "inputs and blocks 0-2",
        "claims were tested in this tab",
    ):
        assert said in text, said
    assert text.count("Which claims hold here") == 2  # one per task


def test_every_choice_has_a_view(page):
    for panel in panels(page):
        places = [""]
        for choice in panel["choices"]:
            places = [f"{place},{i}".strip(",") for place in places for i in range(len(choice["options"]))]
        assert sorted(panel["views"]) == sorted(places)
        assert all(panel["views"].values())


def test_tables_can_be_downloaded(page):
    links = {attributes["download"]: attributes["href"] for tag, attributes in parse(page).tags if tag == "a"}
    names = ("settings", "differences-to-none")
    assert set(links) == {f"{name}-{task}.csv" for name in names for task in ("topic", "lm")}
    table = pd.read_csv(StringIO(base64.b64decode(links["differences-to-none-topic.csv"].partition(",")[2]).decode()))
    row = table[(table["setting"] == "early_half") & (table["quantity"] == "zero_shot")].iloc[0]
    assert (row["n"], row["over"]) == (6, "pairs of seed and source language")
    assert row["mean"] == pytest.approx(0.09, abs=0.02)


def test_the_order_of_the_runs_changes_nothing(runs, page):
    assert page_of(runs[::-1]) == page


def test_one_seed_of_a_setting_is_shown_without_an_interval():
    html = page_of([*make_study(("none", "early"), (0, 1)), make_run("last", 0)])
    row = re.search(r'<th scope="row">last.*?</tr>', html, re.DOTALL).group()
    assert "no interval" in row
    assert "± 0.000" not in row


def test_without_none_there_are_no_differences():
    html = page_of(make_study(("early", "last"), (0, 1)))
    assert "run against run" not in html
    assert "Best zero-shot" in html


def test_no_finished_run_is_refused():
    with pytest.raises(ValueError, match="fine-tuned and tested"):
        page_of([make_run(tested=False)])


def test_hostile_names_stay_text():
    languages = (HOSTILE, *LANGUAGES[1:4])
    html = page_of(make_study(("none", "early", HOSTILE), (0, 1), (HOSTILE,), languages=languages, model=HOSTILE))
    assert not [tag for tag, attributes in parse(html).tags if tag == "img" or "onerror" in attributes]
    assert "<script>alert" not in html
    views = [figure for panel in panels(html) for view in panel["views"].values() for figure in view]
    assert "<img" not in json.dumps([[figure["data"], figure["layout"]] for figure in views])


def test_the_page_is_written_whole(runs, tmp_path):
    path = write_study_page([reduce(run) for run in runs[:2]], tmp_path / "new" / "report.html")
    assert path.read_text(encoding="utf-8").rstrip().endswith("</html>")


def test_a_single_run_shows_the_guards_decisions():
    html = render([make_run("guard")])
    assert "At step 40 it put inputs and blocks 0-2 back to the weights of step 0 and froze them." in html
    assert "What the guard saw" not in render([make_run("none")])


@needs_browser
def test_a_browser_draws_every_panel_and_names_every_setting(page, tmp_path):
    script = """<script>
    drawAll();
    document.querySelectorAll("fieldset button").forEach((button) => button.click());
    setTimeout(() => {
      const plots = [...document.querySelectorAll(".plot")];
      const labelled = plots.filter((plot) => plot.data.some((trace) => trace.meta === "labelled"));
      const names = labelled.map((plot) => plot.layout.annotations.length);
      document.documentElement.dataset.names = names.join(" ");
    }, 3000);
    </script></body>"""
    root = next(attributes for tag, attributes in browse(page.replace("</body>", script), tmp_path) if tag == "html")
    assert root["data-drawn"] == str(len(panels(page)))
    assert root["data-names"] == "5 2"

import base64
import json
import re
from dataclasses import replace
from io import StringIO

import pandas as pd
import pytest
from plotly.offline import get_plotlyjs
from tests.report.study_runs import LANGUAGES, make_evaluation, make_run, make_study
from tests.report.test_page import browse, needs_browser, panels, parse

from babelscope.report.page import render
from babelscope.report.study.page import render_study, write_study_page
from babelscope.report.study.replicates import replicate_of

SETTINGS = ("none", "early", "early_half", "last", "guard")
HOSTILE = 'x"><script>alert(1)</script><img src=x onerror=alert(2)>'


def page_of(runs):
    return render_study([replicate_of(run) for run in runs])


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
        "3 seeds, for these source languages: eng_Latn, ind_Latn",
        "on the frontier",
        "34 finished, 1 unfinished",
        "Left out of all means: 1 not finished or without test scores",
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
    assert (row["n"], row["over"]) == (3, "seeds")
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
    path = write_study_page([replicate_of(run) for run in runs[:2]], tmp_path / "new" / "report.html")
    assert path.read_text(encoding="utf-8").rstrip().endswith("</html>")


def test_a_single_run_shows_the_guards_decisions():
    html = render([make_run("guard")])
    assert "At step 40 it put inputs and blocks 0-2 back to the weights of step 0 and froze them." in html
    assert "Alignment guard" not in render([make_run("none")])


def test_incomplete_settings_are_shown_and_not_ranked():
    html = page_of([*make_study(("none", "early", "last"), range(3)), *make_study(("early_half", "guard"), range(2))])
    text = re.sub(r"<[^>]+>", " ", html)
    assert "Best zero-shot accuracy here: early (" in text
    assert "Not ranked, as runs are missing: early_half, guard." in text
    row = re.search(r'<th scope="row">early_half.*?</tr>', html, re.DOTALL).group()
    assert "incomplete, not ranked" in row
    assert "on the frontier" not in row
    frontier = next(panel for panel in panels(html) if panel["choices"] and panel["choices"][0]["label"] == "Score")
    assert frontier["views"]["0,0,0,0"][0]["data"][1]["text"] == ["none", "early", "last"]


def test_nothing_is_ranked_before_two_settings_have_the_same_runs():
    html = page_of([*make_study(("none",), range(3)), make_run("early", 0)])
    assert "Nothing is ranked yet" in html
    html = page_of([make_run("none", 0), make_run("none", 1), make_run("early", 2, "ind_Latn")])
    assert "Nothing is ranked yet" in html
    apart = [
        make_run(name, seed, source)
        for name in ("none", "early")
        for seed, source in ((0, "eng_Latn"), (1, "ind_Latn"))
    ]
    assert "Nothing is ranked yet" in page_of([*apart, make_run("none", 2), make_run("early", 2)])


def test_without_other_languages_it_is_the_source_score():
    runs = make_study(("none", "early"), range(2))
    own = [
        replace(run, rows=run.rows[(run.rows["layer"] != "") | (run.rows["language"] == "eng_Latn")]) for run in runs
    ]
    assert "No other language was tested. Best source accuracy here: early" in page_of(own)


def test_other_differences_between_runs_are_listed():
    runs = make_study(("none", "early"), range(2), ("eng_Latn", "ind_Latn"))
    assert "differ in more" not in page_of(runs)
    changed = [
        replace(run, config={**run.config, "optimizer": {"lr": 0.1 * (1 + place // 4)}})
        for place, run in enumerate(runs)
    ]
    html = page_of(changed)
    assert "They differ also in" in html
    assert "optimizer.lr: 0.1 (4 runs); 0.2 (4 runs)" in html


def test_scores_that_are_neither_better_up_nor_down_are_never_the_primary_one():
    html = page_of(make_study(("none", "early"), range(2), metrics=("hubness",)))
    assert "The freezing frontier" not in html
    heads = re.search(r'<table class="means"><thead>.*?</thead>', html).group()
    assert "Accuracy" in heads
    assert "Change of" not in heads
    assert "Alignment by" not in html


def test_scores_of_languages_apart_are_coloured_by_what_is_better():
    html = page_of(make_study(("none", "early_half"), range(3), metrics=("separability",), fall=-0.06))
    row = re.search(r'<th scope="row">early_half.*?</tr>', html, re.DOTALL).group()
    assert re.findall(r'<b class="(\w+)">', row)[-1] == "up"
    assert "−" in row.rpartition("<b class")[2]


def test_the_guard_is_said_to_freeze_during_training():
    html = page_of(make_study(("none", "guard"), range(3)))
    assert "frozen during training: up to layer 3 in 3 of 3 runs" in html


def test_downstream_tasks_are_a_table_of_their_own():
    html = render_study([replicate_of(run) for run in make_study(("none", "early"), range(2))], [make_evaluation()])
    section = html.partition('<section id="downstream">')[2]
    assert "xcopa/acc" in section
    assert "± 0.020" in section
    assert "<h2>Downstream tasks</h2>" in render([], [make_evaluation()])


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

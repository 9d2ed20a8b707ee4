import json
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser

import pandas as pd
import pytest
from plotly.offline import get_plotlyjs
from tests.report.conftest import LANGUAGES, write_run

from babelscope.report import cards, page, table
from babelscope.report.runs import facts_of, labels

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
OPTIONS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
    "--window-size=1200,3000",
    "--virtual-time-budget=20000",
    "--dump-dom",
]
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
HOSTILE = 'x"><script>alert(1)</script><img src=x onerror=alert(2)>_Latn'


class Tags(HTMLParser):
    """Collects start tags with their attributes, and the text of scripts."""

    def __init__(self):
        super().__init__()
        self.tags, self.scripts, self.inside = [], [], None

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.inside = dict(attrs).get("type", "code") if tag == "script" else None

    def handle_endtag(self, tag):
        self.inside = None

    def handle_data(self, data):
        if self.inside:
            self.scripts.append((self.inside, data))


def parse(html):
    parser = Tags()
    parser.feed(html)
    return parser


def panels(html):
    return [json.loads(text) for kind, text in parse(html).scripts if kind == "application/json"]


@pytest.fixture(scope="module")
def two(runs):
    return page.render(runs)


def test_the_page_loads_nothing_from_elsewhere(two):
    assert two.count(get_plotlyjs()) == 1
    rest = two.replace(get_plotlyjs(), "")
    assert not re.search(r"https?://|url\(|@import", rest)
    for tag, attributes in parse(two).tags:
        assert "src" not in attributes
        assert tag != "link" or attributes["href"] == "data:,"
    assert len(rest) < 2_000_000


def test_every_figure_parses_and_every_choice_has_a_view(two):
    found = panels(two)
    assert len(found) == 5 + 2 * 3
    for panel in found:
        places = [""]
        for choice in panel["choices"]:
            places = [f"{place},{i}".strip(",") for place in places for i in range(len(choice["options"]))]
        assert sorted(panel["views"]) == sorted(places)
        for figure in (figure for view in panel["views"].values() for figure in view):
            assert figure["caption"]
            assert figure["data"]
            assert "template" not in figure["layout"]


def test_two_runs_are_compared_and_tabbed_with_the_baseline_first(runs, two):
    swapped = page.render(runs[::-1])
    assert swapped == two
    tabs = [attributes for tag, attributes in parse(two).tags if attributes.get("role") == "tab"]
    assert len(tabs) == 2
    assert two.index("freeze=none</button>") < two.index("freeze=early</button>")
    for text in (
        "lab_xlmr: how 24 languages align, layer by layer",
        "Before and after",
        "Where the settings differ",
        "120 sentences",
    ):
        assert text in two


def test_one_run_has_no_tabs_and_no_differences(runs):
    html = page.render(runs[:1])
    assert 'role="tab"' not in html
    assert "Where the settings differ" not in html
    assert "What training did" in html


def test_a_probe_without_manifest_leaves_sections_out(make_run):
    html = page.render([make_run(steps=1, task=False, pairs=False, manifest=False)])
    assert len(panels(html)) == 2
    for text in (
        "zero-shot mean",
        "Languages of the nearest",
        "What was trained",
        "manifest.json",
        "What training did",
    ):
        assert text not in html
    assert "highest ILO" in html


def test_accuracies_and_losses_are_shown_apart(tmp_path):
    runs = [table.read_run(write_run(tmp_path / name, languages=LANGUAGES[:4], pairs=False)) for name in ("a", "b")]
    runs[1].config["task"]["name"] = "lm"
    runs[1].rows["metric"] = runs[1].rows["metric"].replace("test_accuracy", "test_loss")
    of_lm = runs[1].rows["metric"] == "test_loss"
    runs[1].rows.loc[of_lm, "value"] += 6
    runs[1] = replace(runs[1], rows=runs[1].rows[runs[1].rows["metric"] != "validation_accuracy"])
    assert labels(runs) == ["topic", "lm"]
    html = page.render(runs)
    heads = re.findall(r'<th colspan="\d">(.*?)</th>', html)
    assert heads[-2:] == ["Accuracy", "Loss"]
    figures = [figure for panel in panels(html) for view in panel["views"].values() for figure in view]
    shown = {figure["caption"]: figure for figure in figures if figure["caption"].startswith("Test ")}
    accuracy, loss = (
        shown[f"Test {score} in every language, at the last tested step"] for score in ("accuracy", "loss")
    )
    assert accuracy["layout"]["xaxis"]["range"] == [0, 1.02]
    assert "range" not in loss["layout"]["xaxis"]
    for figure, run in ((accuracy, "topic"), (loss, "lm")):
        known = [trace["name"] for trace in figure["data"][1:] if any(x is not None for x in trace["x"])]
        assert known == [run]


def test_a_card_says_no_negative_zero(make_run):
    run = make_run(steps=1, task=False, pairs=False)
    ends = [run.rows[(run.rows["metric"] == "ilo") & (run.rows["layer"] == "3")].assign(value=0.5)]
    ends.append(ends[0].assign(value=0.497, step=40))
    (card,) = cards.key_numbers([replace(run, rows=pd.concat(ends))])
    assert (card.value, card.what) == ("0.00", "change of ILO")


def test_a_run_with_only_task_rows_is_shown(runs):
    run = runs[0]
    bare = table.Run(run.folder, run.config, {}, run.rows[run.rows["layer"] == ""])
    html = page.render([bare])
    assert "How the task was learnt" in html
    assert "Scores by layer and training step" not in html


def test_no_rows_are_refused(runs):
    empty = table.Run(runs[0].folder, {}, {}, runs[0].rows.iloc[:0])
    with pytest.raises(ValueError, match="a run with rows"):
        page.render([empty])


def test_hostile_names_stay_text(make_run):
    html = page.render([make_run(languages=[HOSTILE, "deu_Latn", "tha_Thai"], steps=2)])
    tags = parse(html).tags
    assert not [tag for tag, attributes in tags if tag == "img" or "onerror" in attributes]
    assert "<script>alert" not in html
    assert "x&quot;&gt;&lt;script&gt;" in html
    # plotly reads some HTML in its texts, so names are escaped there as well
    views = [figure for panel in panels(html) for view in panel["views"].values() for figure in view]
    drawn = json.dumps([[figure["data"], figure["layout"]] for figure in views])
    assert "&lt;img" in drawn
    assert "<img" not in drawn


def test_the_page_is_written_whole(runs, tmp_path):
    path = page.write_page(runs[:1], tmp_path / "new" / "report.html")
    assert path.read_text(encoding="utf-8").rstrip().endswith("</html>")
    assert [file.name for file in path.parent.iterdir()] == ["report.html"]


def browse(html, folder, address=""):
    """Load a page in Chromium and return its start tags once its scripts have run; console messages are an error."""
    (folder / "report.html").write_text(html, encoding="utf-8")
    command = [CHROMIUM, *OPTIONS, f"--user-data-dir={folder / 'profile'}", f"file://{folder}/report.html{address}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert "CONSOLE" not in done.stderr
    return parse(done.stdout).tags


@needs_browser
def test_a_browser_draws_every_panel_without_an_error(two, tmp_path):
    drawn = browse(two, tmp_path, "#all")
    assert ("html", "11") in [(tag, attributes.get("data-drawn")) for tag, attributes in drawn]
    figures = sum(tag == "figcaption" for tag, _ in drawn)
    plots = sum("main-svg" in (attributes.get("class") or "").split() for tag, attributes in drawn if tag == "svg")
    assert figures == 3 + 1 + 3 + 1 + 1 + 2 * (6 + 1 + 1)
    assert plots >= figures


@needs_browser
def test_choices_tabs_and_theme_answer(two, tmp_path):
    script = """<script>
    document.getElementById("theme").click();
    document.querySelectorAll('[role="tab"]')[1].click();
    drawAll();
    document.querySelectorAll("fieldset button").forEach((button) => button.click());
    for (const input of document.querySelectorAll("input")) {
      input.value = 0;
      input.dispatchEvent(new Event("input"));
    }
    const curves = [...document.querySelectorAll(".panel")].at(-2).querySelector("figcaption").textContent;
    document.documentElement.dataset.result = curves;
    </script></body>"""
    root = next(attributes for tag, attributes in browse(two.replace("</body>", script), tmp_path) if tag == "html")
    assert root["data-theme"] == "dark"
    assert root["data-result"] == "Language identified from nearest neighbours (accuracy, 0 to 1), completed epochs: 0"


def test_a_guard_may_check_between_measurements(tmp_path):
    folder = write_run(tmp_path / "guarded", steps=3)
    keys = {"run": "guarded", "epoch": 0, "language": "", "other": ""}
    for step in (10, 20, 40):  # 40 is a measurement, too
        falls = [{**keys, "step": step, "layer": "1", "metric": "guard_fall", "value": 0.01 * step}]
        frozen = [{**keys, "step": step, "layer": "1", "metric": "guard_freeze", "value": 10.0}] if step == 40 else []
        table.write(folder, f"guard-{step:08d}", [*falls, *frozen])
    run = table.read_run(folder)
    html = page.render([run])
    assert "guard" in html
    assert facts_of(run)["Measured"].startswith("3 times")


def test_one_epoch_is_no_epochs(make_run):
    assert facts_of(make_run(steps=2))["Measured"] == "2 times in 1 epoch"
    assert facts_of(make_run("more", steps=3))["Measured"] == "3 times in 2 epochs"


def test_a_setting_of_a_study_is_named(tmp_path):
    runs = [table.read_run(write_run(tmp_path / name)) for name in ("a", "b")]
    runs[1].manifest["setting"]["name"] = "guard"
    assert labels(runs) == ["freeze=none", "setting=guard"]

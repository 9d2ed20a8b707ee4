import json
import random
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from tests.report.study_runs import make_evaluation
from tests.report.sweep.sweep_runs import LANGUAGES, make_run, make_sweep
from tests.report.test_page import browse, needs_browser, parse
from tests.sweeps.entries import ENTRY

from babelscope.report.sweep.means import means_over_seeds
from babelscope.report.sweep.page import render_sweep
from babelscope.report.sweep.runs import sweep_run_of
from babelscope.sweeps.jobs import Job

HOSTILE = 'x"><script>alert(1)</script><img src=x onerror=alert(2)>'
PAGE = Path("/pages/report.html")


@pytest.fixture(scope="module")
def runs():
    made = [
        *make_sweep(("lab_xlmr", "lab_mt5", "lab_bloom"), seeds=range(3), sources=("eng_Latn", "ind_Latn")),
        *make_sweep(("lab_xlmr", "lab_mt5"), ("none",), range(2), task="lm"),
        make_run("lab_llama", "last", 7, tested=False),
    ]
    return [sweep_run_of(run) for run in made]


@pytest.fixture(scope="module")
def page(runs):
    return render_sweep(runs, [], PAGE)


def data_of(html):
    (text,) = [text for kind, text in parse(html).scripts if kind == "application/json"]
    return json.loads(text)


def ask(html, folder, script):
    """Give what a script says once the page has drawn everything, and the attributes of the page."""
    asked = f"""<script>setTimeout(() => {{
      document.documentElement.dataset.result = JSON.stringify((() => {{{script}}})());
    }}, 3000);</script></body>"""
    tags = browse(html.replace("</body>", asked), folder)
    root = next(attributes for tag, attributes in tags if tag == "html")
    return json.loads(root["data-result"]), root


def test_the_page_loads_nothing_from_elsewhere_and_is_small(page):
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)|url\(|@import", page)
    for tag, attributes in parse(page).tags:
        assert "src" not in attributes
        assert tag != "link" or attributes["href"] == "data:,"
    assert len(page) < 600_000
    assert page.rstrip().endswith("</html>")


def test_it_says_what_was_run(page):
    text = re.sub(r"<[^>]+>", " ", page)
    for said in ("41 runs of 4 models", "40 finished, 1 unfinished", "12 languages", "eng_Latn, ind_Latn", "lm, topic"):
        assert said in text, said


def test_names_are_listed_once_and_numbers_are_the_runs(page, runs):
    data = data_of(page)
    assert [score["label"] for score in data["scores"]] == ["topic: accuracy", "lm: loss", "topic: loss"]
    assert [metric["name"] for metric in data["metrics"]] == ["MEXA", "ILO"]
    assert data["settings"] == ["none", "early", "last"]
    assert data["quantiles"][:2] == pytest.approx(stats.t.ppf(0.975, [1, 2]))
    shown = next(run for run in data["runs"] if run["folder"] == "lab_mt5-topic-ind_Latn-early-1")
    run = next(run for run in runs if run.folder.name == shown["folder"])
    place = data["languages"].index("hin_Deva")
    assert shown["tests"]["0"][place] == pytest.approx(run.tests["accuracy"]["hin_Deva"], abs=1e-4)
    values = run.alignment["mexa"].languages[1][0]
    expected = values[run.languages.index("hin_Deva")]
    assert shown["alignment"]["0"]["languages"][1][0][place] == pytest.approx(expected, abs=1e-4)
    assert next(run for run in data["runs"] if run["state"] == "unfinished").keys().isdisjoint({"tests", "alignment"})


def test_the_order_of_the_runs_changes_nothing(runs, page):
    shuffled = runs[:]
    random.Random(0).shuffle(shuffled)
    assert render_sweep(shuffled, [], PAGE) == page


def test_hostile_names_stay_text():
    made = make_sweep((HOSTILE, "lab_mt5"), ("none", HOSTILE), (0,), (HOSTILE,), languages=(HOSTILE, *LANGUAGES[1:4]))
    jobs = [Job(Path("/runs") / "job", "failed", replace(ENTRY, overrides=[HOSTILE]), HOSTILE)]
    html = render_sweep([sweep_run_of(run) for run in made], jobs, PAGE)
    assert not [tag for tag, attributes in parse(html).tags if tag == "img" or "onerror" in attributes]
    assert "<script>alert" not in html


def test_jobs_without_a_result_are_named_with_their_log(tmp_path):
    log = tmp_path / "runs" / ".jobs" / "a job.log"
    log.parent.mkdir(parents=True)
    log.write_text("...")
    (tmp_path / "runs" / "one").mkdir()
    (tmp_path / "runs" / "one" / "report.html").write_text("")
    runs = [
        replace(sweep_run_of(make_run()), folder=tmp_path / "runs" / "one"),
        replace(sweep_run_of(make_run(seed=1, tested=False)), folder=tmp_path / "runs" / "two"),
    ]
    entry = replace(ENTRY, overrides=["lr=9"], log=str(log))
    jobs = [
        Job(tmp_path / "runs" / "two", "failed", entry, "Expected `lr` to be small"),
        Job(tmp_path / "runs" / "three", "interrupted"),
        Job(tmp_path / "runs" / "four", "gone", error="its run folder is no longer there"),
        Job(tmp_path / "runs" / "five", "running"),
        Job(tmp_path / "runs" / "one", "done"),
    ]
    html = render_sweep(runs, jobs, tmp_path / "pages" / "report.html")
    section = html.partition('<section id="trouble">')[2].partition("</section>")[0]
    assert 'href="../runs/.jobs/a%20job.log"' in section
    for said in ("Expected `lr` to be small", "lr=9", "three", "its run folder is no longer there"):
        assert said in section
    assert "five" not in section
    assert "1 finished, 1 failed, 1 interrupted, 1 gone, 1 running" in html
    one, two = sorted(data_of(html)["runs"], key=lambda run: run["folder"])
    assert (one["page"], one["state"]) == ("../runs/one/report.html", "done")
    assert (two["page"], two["state"]) == ("", "failed")


def test_jobs_alone_make_a_page():
    html = render_sweep([], [Job(Path("/runs/a"), "failed", error="no memory")], PAGE)
    assert "no memory" in html
    assert '<div id="sweep" hidden>' in html


def test_what_else_differs_is_said(runs):
    changed = [
        replace(run, conditions={**run.conditions, "optimizer.lr": f"0.{1 + place % 2}"})
        for place, run in enumerate(runs)
    ]
    assert "optimizer.lr: 0.1" in render_sweep(changed, [], PAGE)
    assert "What else differs" not in render_sweep(runs, [], PAGE)


def test_downstream_tasks_are_a_table_of_their_own(runs):
    section = render_sweep(runs, [], PAGE, downstream=[make_evaluation()]).partition('<section id="downstream">')[2]
    assert "xcopa/acc" in section


def within(values, groups):
    return values - np.array([values[groups == group].mean() for group in groups])


def ranks_within(values, groups):
    return np.concatenate(
        [stats.rankdata(values[groups == group]) / sum(groups == group) for group in sorted(set(groups))]
    )


@needs_browser
def test_intervals_and_correlations_are_scipys(page, tmp_path):
    rng = np.random.default_rng(0)
    groups = np.repeat([0, 1, 2], 40)
    x = np.round(rng.normal(0, 1, 120), 1) + 3 * groups  # rounded: there are ties
    y = rng.normal(0, 1, 120) + 0.7 * x - 4 * groups
    languages = np.tile(np.arange(20), 6)
    points = [
        {"x": float(a), "y": float(b), "language": int(c), "group": f"{g}{i // 20}", "stratum": int(g)}
        for i, (a, b, c, g) in enumerate(zip(x, y, languages, groups, strict=True))
    ]
    noise = [{**point, "y": float(value)} for point, value in zip(points, rng.normal(0, 1, 120), strict=True)]
    script = f"""
      const points = {json.dumps(points)}, noise = {json.dumps(noise)};
      return {{
        t: tInterval({json.dumps(y[:7].tolist())}, data.quantiles),
        one: tInterval([0.5, NaN], data.quantiles),
        overall: correlations(points, () => 0),
        pooled: correlations(points, (point) => point.stratum),
        noise: correlations(noise, (point) => point.stratum),
        few: correlations(points.filter((point) => point.language < 4), () => 0),
        flat: correlations(points.map((point) => ({{ ...point, y: 1 }})), () => 0),
      }};"""
    found, _ = ask(page, tmp_path, script)
    low, high = stats.t.interval(0.95, 6, loc=y[:7].mean(), scale=stats.sem(y[:7]))
    assert (found["t"]["mean"] - found["t"]["half"], found["t"]["mean"] + found["t"]["half"]) == pytest.approx(
        (low, high)
    )
    assert found["one"] == {"mean": 0.5, "half": None, "n": 1}
    assert found["overall"]["pearson"]["value"] == pytest.approx(stats.pearsonr(x, y).statistic)
    assert found["overall"]["spearman"]["value"] == pytest.approx(stats.spearmanr(x, y).statistic)
    assert found["pooled"]["pearson"]["value"] == pytest.approx(
        stats.pearsonr(within(x, groups), within(y, groups)).statistic
    )
    ranked = [within(ranks_within(values, groups), groups) for values in (x, y)]
    assert found["pooled"]["spearman"]["value"] == pytest.approx(stats.pearsonr(*ranked).statistic)
    # between the strata the relation is turned: overall and within are told apart
    assert found["overall"]["pearson"]["high"] < 0 < found["pooled"]["pearson"]["low"]
    for name in ("pearson", "spearman"):
        assert found["pooled"][name]["low"] < found["pooled"][name]["value"] < found["pooled"][name]["high"]
        assert found["noise"][name]["low"] < 0 < found["noise"][name]["high"]
        assert found["few"][name]["low"] is None
        assert found["flat"][name]["value"] is None
    assert (found["pooled"]["n"], found["pooled"]["languages"], found["pooled"]["groups"]) == (120, 20, 6)


@needs_browser
def test_tables_say_what_python_says_and_filters_act_on_all(page, runs, tmp_path):
    script = """
      const texts = (row) => [...row.cells].map((cell) => cell.textContent);
      const rows = (id) => [...document.querySelectorAll(`#${id} tbody tr`)].map(texts);
      const counts = () => ({ groups: rows("groups"), runs: rows("runs").length, transfer: rows("transfer").length });
      const first = { ...counts(), correlation: rows("correlation") };
      const csv = [];
      save = (name, text) => csv.push([name, text]);
      document.querySelectorAll(".download").forEach((button) => button.click());
      document.getElementById("theme").click();
      document.querySelector("#runs thead button").click();
      document.querySelectorAll('input[name="models"]')[0].click();
      document.querySelectorAll('input[name="sources"]')[1].click();
      document.querySelector('select[name="rows"]').value = "1";
      document.querySelector('select[name="rows"]').dispatchEvent(new Event("change"));
      const then = counts();
      document.querySelectorAll('input[name="settings"]').forEach((box) => box.click());
      const [said, hidden] = [document.getElementById("shown").textContent, document.getElementById("groups").hidden];
      return { first, csv, then, none: { said, hidden } };"""
    found, root = ask(page, tmp_path, script)
    table = means_over_seeds(runs)
    chosen = table[(table["quantity"] == "zero_shot") & (table["task"] == "topic")]
    expected = [[row.model, row.setting, row.source, f"{row.mean:.3f}± {row.half:.3f}"] for row in chosen.itertuples()]
    assert sorted([*row[:3], row[5]] for row in found["first"]["groups"]) == sorted(expected)
    assert (found["first"]["runs"], found["first"]["transfer"]) == (37, 3)  # one is unfinished
    within_model, overall = (row for row in found["first"]["correlation"][:2])
    assert within_model[0].startswith("within model")
    low = float(re.search(r"(−?\d\.\d\d) to", within_model[2])[1].replace("−", "-"))
    assert low > 0.5  # as planted
    assert float(overall[2][:4].replace("−", "-")) < float(within_model[2][:4])
    files = dict(found["csv"])
    assert sorted(files) == [
        f"{name}.csv" for name in ("alignment", "best-layers", "correlation", "groups", "points", "runs", "transfer")
    ]
    head, *lines = files["groups.csv"].splitlines()
    assert head.startswith("Model,Setting,Fine-tuned on,Runs,source,source_half,source_n,zero_shot")
    assert len(lines) == len(expected)
    assert len(files["points.csv"].splitlines()) == 1 + 36 * 11
    assert (found["then"]["runs"], len(found["then"]["groups"]), found["then"]["transfer"]) == (13, 4, 4)
    assert found["none"] == {"said": "0 of 41 runs are shown, 0 of them finished. ", "hidden": True}
    assert root["data-theme"] == "dark"


@needs_browser
def test_means_say_which_of_the_chosen_languages_they_cover(page, tmp_path):
    script = """
      const said = () => document.getElementById("shown").textContent.split(". ")[1];
      const [all, boxes] = [said(), [...document.querySelectorAll('input[name="languages"]')]];
      boxes.slice(2).forEach((box) => box.click());
      return [boxes.length, all, said()];"""
    (number, every, two), _ = ask(page, tmp_path, script)
    rest = "that all of these tested or were trained on, excluding each run's source language."
    assert number == len(LANGUAGES)
    assert every == f"Zero-shot means cover the {number} languages {rest}"
    assert two == f"Zero-shot means cover 2 of the 2 chosen languages, those {rest}"


@needs_browser
def test_runs_without_scores_of_alignment_are_shown(tmp_path):
    runs = [
        sweep_run_of(make_run(model, seed=seed, metrics=())) for model in ("lab_xlmr", "lab_mt5") for seed in (0, 1)
    ]
    html = render_sweep([*runs, sweep_run_of(make_run(tested=False))], [], PAGE)
    found, _ = ask(html, tmp_path, "return document.querySelectorAll('#groups tbody tr').length;")
    assert found == 2
    unfinished = render_sweep([sweep_run_of(make_run(tested=False))], [], PAGE)
    found, _ = ask(unfinished, tmp_path, "return document.querySelectorAll('#runs tbody tr').length;")
    assert found == 1

import json
import re

import pytest
from plotly.offline import get_plotlyjs
from tests.report.test_page import browse, needs_browser, panels, parse

from babelscope.files import write_json
from babelscope.report import table
from babelscope.report.tokens.page import is_of_tokens, render_tokens, write_tokens_page
from babelscope.report.tokens.panels import compare_tables
from babelscope.report.tokens.summary import names_of, pair_table, token_table

HOSTILE = "</script><img src=x onerror=alert(1)>"
SCRIPTS = ("Latn", "Cyrl", "Thai")


def row(metric, value, language="", other=""):
    return {"step": 0, "epoch": 0, "layer": "0", "metric": metric, "language": language, "other": other, "value": value}


def table_rows():
    yield from (row("tokens", 30 - i, script) for i, script in enumerate(SCRIPTS))
    yield from (row(name, value) for name, value in (("tokens", 87), ("width", 8), ("isoscore", 0.4)))
    for end, value in (("", 0.9), ("_random", 0.51), ("_shuffled", 0.49)):
        yield row(f"script_probe{end}", value)
        yield from (row(f"script_probe{end}", value, script) for script in SCRIPTS)
    for end, value in (("", 1.6), ("_sd", 0.9), ("_null", 2.9), ("_legacy", 1.7)):
        yield row(f"neighbour_scripts{end}@50", value)
    yield from (row("neighbour_scripts_share@50", 1 / 3, other=str(number)) for number in (1, 2, 3))
    for a in SCRIPTS:
        for b in SCRIPTS:
            yield row("neighbour_share@50", 0.8 if a == b else 0.1, a, b)
            yield row("neighbour_share_null", 1 / 3, a, b)
    for name, value in (("coverage", 0.5), ("words", 4), ("p@1", 0.75), ("null@1", 0.2)):
        yield row(f"translation_{name}", value, "eng_Latn", "rus_Cyrl")
        if name != "words":
            yield row(f"translation_{name}", value)


def pair_rows(a, b):
    yield row("shared_tokens", 40, a, b)
    yield from (row(f"angle_cosine/{number:04d}", 1 / number, a, b) for number in range(1, 9))
    for name, value in (("angle_first", 1), ("angle_first_null", 0.6), ("neighbour_overlap@9", 0.3)):
        yield row(name, value, a, b)


def explorer(piece):
    return {
        "layout": "pca",
        "scripts": list(SCRIPTS),
        "pieces": ["▁see", "море", piece],
        "script": [0, 1, 2],
        "tokens": [0, 1, 2],
        "near": [[1, 2], [0, 2], [1, 0]],
        "cosine": [[900, 100], [900, 50], [50, -10]],
        "translation": [[0], [0], []],
        "place": [[1000, 2], [-30, 40], [0, 0]],
        "examples": [{"pair": ["eng", "rus"], "word": piece, "gold": ["море"], "near": [["море", 0.9, True]]}],
    }


def write_run(folder, rows, manifest, **config):
    table.write(folder, "tokens", [{"run": folder.name, **one} for one in rows])
    (folder / "run.yaml").write_text(json.dumps(config))
    write_json(folder, "manifest", manifest)
    return folder


@pytest.fixture
def runs(tmp_path):
    published = {"one": {"script_probe": 0.9924, "neighbour_scripts_legacy@50": 1.64}}
    for name in ("one", "two"):
        manifest = {"token_table": name, "tensor": {"rows": 100, "width": 8, "tied": None}, "labels": "script"}
        folder = write_run(tmp_path / name, table_rows(), manifest, published=published)
        write_json(folder, "explorer", explorer(HOSTILE))
    write_run(tmp_path / "pairs", pair_rows("one", "two"), {"token_tables": ["one", "two"]})
    return [table.read_run(tmp_path / name) for name in ("one", "two", "pairs")]


def test_the_page_is_whole_and_loads_nothing_from_elsewhere(runs, tmp_path):
    html = write_tokens_page(runs, tmp_path / "report.html").read_text()
    assert html.count(get_plotlyjs()) == 1
    rest = html.replace(get_plotlyjs(), "")
    assert not re.search(r"https?://|url\(|@import", rest)
    assert rest.rstrip().endswith("</html>")
    for text in (
        "structure in 2 tables of token embeddings",
        "Neighbour explorer",
        "Do two tables span",
        "Are neighbours",
    ):
        assert text in html


def test_every_figure_has_a_caption_and_data(runs):
    found = [panel for panel in panels(render_tokens(runs)) if "views" in panel]
    assert len(found) == 3 + 2 * 3
    for figure in (figure for panel in found for view in panel["views"].values() for figure in view):
        assert figure["caption"]
        assert figure["data"]


def test_the_probe_shows_every_accuracy_and_promises_no_interval_without_draws(runs, tmp_path):
    rows = [{**one, "value": 0.25} if one["metric"] == "script_probe_shuffled" else one for one in table_rows()]
    (figure,) = compare_tables(runs[:1], [])[0].views[""]
    assert figure.layout.yaxis.range[0] == 0
    once = write_run(tmp_path / "once", rows, {"token_table": "once"})
    assert "interval" not in compare_tables([table.read_run(once)], [])[0].reading
    often = [*rows, *(row(f"script_probe_{end}", 0.9, "Latn") for end in ("low", "high"))]
    folder = write_run(tmp_path / "often", often, {"token_table": "often"})
    assert "Thin bars: 95 % interval" in compare_tables([table.read_run(folder)], [])[0].reading


def test_hostile_tokens_stay_text(runs):
    html = render_tokens(runs)
    assert not [tag for tag, attributes in parse(html).tags if tag == "img" or "onerror" in attributes]
    (data,) = [panel for panel in panels(html) if isinstance(panel, list)]
    assert data[0]["pieces"][2] == HOSTILE


def test_words_from_right_to_left_leave_their_numbers_in_place(runs):
    path = runs[0].folder / "explorer.json"
    data = json.loads(path.read_text())
    data["examples"] = [{"pair": ["eng", "heb"], "word": "sea", "gold": ["ים", "sea"], "near": [["ים", 0.9, True]]}]
    path.write_text(json.dumps(data))
    html = render_tokens(runs)
    assert "<b>\u2068ים\u2069 ✓</b> 0.90" in html
    assert "<td>\u2068ים\u2069, sea</td>" in html


def test_published_figures_have_a_column_of_their_own(runs):
    values = token_table(runs[:2])
    assert list(values.columns) == ["one", "one, published", "two"]
    line = values.loc["script probe, mean accuracy"]
    assert list(line) == ["90.00%", "99.24%", "90.00%"]
    assert list(values.loc["scripts among 50 neighbours"]) == ["1.60", "", "1.60"]
    assert list(values.loc["  with the token's own, as published"]) == ["1.70", "1.64", "1.70"]
    assert "  with the token's own, as published" not in token_table(runs[1:2]).index


def test_pairs_are_lines(runs):
    values = pair_table(runs[2])
    assert list(values.index) == ["one x two"]
    assert "30.0%" in set(values.loc["one x two"])


def test_one_table_alone(runs):
    html = render_tokens(runs[:1])
    assert "structure in one&#x27;s token embeddings" in html
    assert 'role="tab"' not in html
    (runs[0].folder / "explorer.json").unlink()
    assert 'class="explorer"' not in render_tokens(runs[:1])


def test_other_runs_are_refused(runs):
    assert all(map(is_of_tokens, runs))
    with pytest.raises(ValueError, match="babelscope tokens"):
        render_tokens(runs[2:])
    (runs[0].folder / "explorer.json").write_text("{")
    with pytest.raises(ValueError, match=r"explorer\.json to be readable"):
        render_tokens(runs)


@needs_browser
def test_the_explorer_lists_neighbours(runs, tmp_path):
    tags = browse(render_tokens(runs), tmp_path, "#all")
    assert len([1 for tag, attributes in tags if tag == "li" and attributes.get("class") == "hit"]) == 2
    assert not [tag for tag, _ in tags if tag == "img"]


def twin(runs, name, **manifest):
    """The first table once more, from another folder, and with one number fewer."""
    described = {**runs[0].manifest, **manifest}
    folder = runs[0].folder.parent / name
    write_run(folder, [one for one in table_rows() if one["metric"] != "script_probe"], described)
    write_json(folder, "explorer", explorer("x"))
    return table.read_run(folder)


def test_tables_of_one_name_are_told_apart_and_lose_nothing(runs):
    other, step = twin(runs, "more/one"), twin(runs, "later", revision="step=100")
    assert names_of([runs[0], runs[1]]) == ["one", "two"]
    assert names_of([runs[0], step]) == ["one", "one step=100"]
    assert names_of([runs[0], other, runs[1]])[1:] == ["one (more)", "two"]
    tables = [runs[0], other, step]
    first, second, third = names_of(tables)
    values = token_table(tables)
    line = values.loc["script probe, mean accuracy"]
    assert (line[first], line[second], line[third]) == ("90.00%", "", "")
    assert set(values.loc["width"]) == {"8", ""}
    html = render_tokens(tables)
    for name in (first, second, third):
        assert f">{name}</button>" in html
        assert f"<th>{name}</th>" in html
    found = panels(html)
    (data,) = [panel for panel in found if isinstance(panel, list)]
    assert [one["name"] for one in data] == [first, second, third]
    counts = next(panel["views"]["0"][0] for panel in found if "views" in panel and "Neighbours" in str(panel))
    assert [trace["name"] for trace in counts["data"]] == [first, second, third]


def test_pairs_of_several_folders_say_whence(runs):
    folder = write_run(runs[0].folder.parent / "more" / "pairs", pair_rows("one", "two"), dict(runs[2].manifest))
    html = render_tokens([*runs, table.read_run(folder)])
    assert html.count("on the tokens that both have (more)") == 1
    assert html.count("span the same space? (more)") == 1
    assert "both have (" not in render_tokens(runs)

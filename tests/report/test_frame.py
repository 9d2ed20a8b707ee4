"""Several runs on one page are told apart, also where all of them are open."""

from tests.report.test_page import browse, needs_browser

from babelscope.report import page
from babelscope.report.frame import tabs_html


def test_every_body_of_several_has_its_name():
    html = tabs_html("Run", ["<a>", "b"], ["one", "two"])
    assert '<div class="run" data-run="0"><h2 class="run-name">&lt;a&gt;</h2>one</div>' in html
    assert '<h2 class="run-name">b</h2>two' in html
    assert "run-name" not in tabs_html("Run", ["a"], ["one"])


@needs_browser
def test_names_show_where_all_runs_do(runs, tmp_path):
    script = """<script>
    const found = [];
    const say = () => {
      const open = [...document.querySelectorAll(".run")].filter((run) => !run.hidden);
      const names = [...document.querySelectorAll(".run-name")].filter((name) => name.offsetParent);
      found.push([open.length, ...names.map((name) => name.textContent)].join(" "));
    };
    document.querySelectorAll('[role="tab"]')[1].click();
    say();
    dispatchEvent(new Event("beforeprint"));
    say();
    dispatchEvent(new Event("afterprint"));
    say();
    document.documentElement.dataset.result = found.join("; ");
    </script></body>"""
    tags = browse(page.render(runs).replace("</body>", script), tmp_path)
    root = next(attributes for tag, attributes in tags if tag == "html")
    assert root["data-result"] == "1; 2 freeze=none freeze=early; 1"

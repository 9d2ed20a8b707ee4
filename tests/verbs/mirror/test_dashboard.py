"""Dashboards: sections and panels without wandb, wandb's own object without a server, and sending on request."""

import json
import re
from pathlib import Path
from unittest.mock import patch

import pytest
from omegaconf import OmegaConf

from babelscope.files import write_text
from babelscope.report.table import write
from babelscope.verbs.config.conf import conf_folder
from babelscope.verbs.mirror.dashboard import Panel, group_of, logged_keys, make_dashboard
from babelscope.verbs.mirror.workspace import make_workspace
from tests.report.study_runs import LANGUAGES, make_run
from tests.verbs.command import babelscope
from tests.verbs.mirror.test_logger import no_account
from tests.verbs.wandb_server import wandb_server

__all__ = ["no_account"]
DASHBOARDS = sorted(path.stem for path in (conf_folder() / "dashboard").glob("*.yaml"))


def sections_of(name):
    return OmegaConf.to_container(OmegaConf.load(conf_folder() / "dashboard" / f"{name}.yaml"))["sections"]


def one(known, /, **panel):
    made = make_dashboard("d", [{"name": "s", "panels": [panel]}], keys=known, sweeps=["sweep"])
    return made.sections[0].panels


KEYS = [*(f"{metric}/layer_0{i}" for metric in ("ilo", "mexa") for i in (1, 0)), "test_loss/eng_Latn", "a/b"]


def test_one_panel_for_all_a_panel_per_section_or_one_per_key():
    assert one(KEYS, kind="lines", keys="ilo/layer_*", x="epoch") == (
        Panel("lines", "ilo/layer_*", ("ilo/layer_00", "ilo/layer_01"), "epoch"),
    )
    assert one(KEYS, kind="lines", keys="*/layer_*", each="section", by="model.name") == (
        Panel("lines", "ilo", ("ilo/layer_00", "ilo/layer_01"), "", "model.name"),
        Panel("lines", "mexa", ("mexa/layer_00", "mexa/layer_01"), "", "model.name"),
    )
    assert [panel.keys for panel in one(KEYS, kind="bars", keys="*/layer_00", each="key")] == [
        ("ilo/layer_00",),
        ("mexa/layer_00",),
    ]
    assert one(KEYS, kind="scatter", keys="ilo/*", x="a/b")[1] == Panel(
        "scatter", "ilo/layer_01 by a/b", ("ilo/layer_01",), "a/b"
    )


def test_what_was_not_logged_is_left_out():
    wanted = [
        {"name": "none", "panels": [{"kind": "lines", "keys": "cka/*"}, {"kind": "scatter", "keys": "a/b", "x": "c"}]},
        {"name": "some", "panels": [{"kind": "lines", "keys": "cka/*"}, {"kind": "bars", "keys": "a/b"}]},
        {"name": "no panels"},
    ]
    made = make_dashboard("d", wanted, keys=KEYS, sweeps=["one", "two", "one"])
    assert [(section.name, len(section.panels)) for section in made.sections] == [("some", 1)]
    assert made.sweeps == ("one", "two")


@pytest.mark.parametrize(
    ("panel", "message"),
    [
        ({"kind": "line", "keys": "*"}, "`kind` of a panel .* one of lines, bars, scatter, pictures, but got 'line'"),
        ({"kind": "lines", "keys": "*", "each": "run"}, "`each` of a panel .* None, section, key, but got 'run'"),
        ({"kind": "lines", "keys": "*", "group": "x"}, "to have kind, keys, x, by, each, but got 'group'; nearest: "),
        ({"kind": "lines"}, "to have `keys`, but got {'kind': 'lines'}; add them"),
        ({"kind": "lines", "keys": "cka/*"}, "keys that the runs have logged, but got none of 6, such as a/b, "),
    ],
)
def test_what_yaml_gets_wrong_is_one_line(panel, message):
    with pytest.raises(ValueError, match=message) as error:
        one(KEYS, **panel)
    assert "\n" not in str(error.value)


def test_a_run_tells_what_it_has_logged():
    keys = logged_keys(make_run())
    assert {"ilo/layer_00", "mexa/layer_final", "train_loss", "layers_by_steps", "compared/ilo_early"} <= keys
    assert {f"test_accuracy/{language}" for language in LANGUAGES} <= keys
    assert {"compared/zero_shot_accuracy", "compared/test_accuracy"} <= keys
    assert "alignment_loss" not in keys
    assert not [key for key in keys if "/layer_" in key and "eng_Latn" in key]


def test_the_group_of_a_run_stays_when_its_folder_is_moved():
    assert group_of({"output": "outputs/a_sweep/run", "logger": None}) == "a_sweep"
    by_folder = {"_target_": "babelscope.verbs.mirror.logger.sweep_of", "output": "outputs/a_sweep/run"}
    assert group_of({"output": "x", "logger": {"wandb": {"group": by_folder}}}) == "a_sweep"
    assert group_of({"output": "x/y", "logger": {"wandb": {"group": "mine"}}}) == "mine"


@pytest.mark.parametrize("name", DASHBOARDS)
def test_every_dashboard_fits_a_run(name):
    made = make_dashboard(name, sections_of(name), keys=logged_keys(make_run()), sweeps=["sweep"])
    assert len(made.sections) >= len(sections_of(name)) - 1  # this run measured no separability
    assert all(panel.keys for section in made.sections for panel in section.panels)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # wandb-workspaces' own, as it is imported
@pytest.mark.parametrize("name", DASHBOARDS)
def test_it_becomes_a_workspace_of_wandb(name):
    pytest.importorskip("wandb_workspaces")
    made = make_dashboard(name, sections_of(name), keys=logged_keys(make_run()), sweeps=["a_sweep"])
    view = make_workspace(made, entity="me", project="p")._to_model()
    assert (view.entity, view.project, view.display_name) == ("me", "p", f"{name}: a_sweep")
    spec = json.loads(view.spec.model_dump_json(by_alias=True, exclude_none=True))["section"]
    sections = spec["panelBankConfig"]["sections"]
    assert [section["name"] for section in sections] == [section.name for section in made.sections]
    for section, asked in zip(sections, made.sections, strict=True):
        assert [panel["viewType"] for panel in section["panels"]] == [VIEWS[panel.kind] for panel in asked.panels]
        for panel, wanted in zip(section["panels"], asked.panels, strict=True):
            assert all(key in json.dumps(panel["config"]) for key in (*wanted.keys, wanted.x))
            assert (panel["config"].get("groupBy") == "model.value.name") is bool(wanted.by)
    assert "a_sweep" in json.dumps(spec["runSets"])


VIEWS = {
    "lines": "Run History Line Plot",
    "bars": "Bar Chart",
    "scatter": "Scatter Plot",
    "pictures": "Media Browser",
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A run folder and its offline run, which was sent already."""
    monkeypatch.chdir(tmp_path)
    run = make_run()
    write(Path("a_sweep/run"), "all", run.rows.to_dict("records"))
    config = {**run.config, "output": "elsewhere/a_sweep/run"}
    write_text(Path("a_sweep/run/run.yaml"), OmegaConf.to_yaml(OmegaConf.create(config)))
    part = Path("a_sweep/run/wandb/offline-run-20260101_120000-0badcafe")
    part.mkdir(parents=True)
    for name in ("run-0badcafe.wandb", "run-0badcafe.wandb.synced"):
        (part / name).write_text("a run, as its header and records")
    return Path("a_sweep")


def test_it_is_shown_and_not_sent_unless_asked_for(folder):
    ended = babelscope("sync", folder, "dashboard=layers")
    assert (ended.code, ended.err) == (0, "")
    assert "Every layer: ilo, ilo_null, mexa" in ended.out
    assert ended.out.splitlines()[-1] == "Not sent; send=true makes it in the account"


def test_without_the_package_it_says_which(folder):
    with patch.dict("sys.modules", {"wandb_workspaces": None}):
        ended = babelscope("sync", folder, "dashboard=layers", "send=true")
    assert ended.code == 2
    (line,) = ended.lines
    assert re.search(r"Expected wandb-workspaces to be installed, .*; pip install 'babelscope\[dashboard\]'", line)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_it_is_sent_to_the_account(folder, monkeypatch):
    pytest.importorskip("wandb_workspaces")
    with wandb_server() as server:
        monkeypatch.setenv("WANDB_BASE_URL", server.url)
        monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
        ended = babelscope("sync", folder, "dashboard=models", "send=true")
    assert (ended.code, ended.lines[1:]) == (0, [])
    assert ended.out.splitlines()[-1].startswith("Made http")
    (view,) = server.views
    assert (view["entityName"], view["projectName"], view["displayName"]) == ("me", "babelscope", "Models: a_sweep")
    assert "ILO by layer" in view["spec"]

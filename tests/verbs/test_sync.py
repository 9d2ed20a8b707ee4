"""`babelscope sync`: what it finds, sends once, leaves, and says."""

import re
import sys
import time
from pathlib import Path

import pytest

from babelscope.sweeps.ledger import Entry, now, write_entry
from babelscope.sweeps.processes import Process
from babelscope.verbs import sync
from babelscope.verbs.mirror.offline import offline_runs
from tests.verbs.command import babelscope
from tests.verbs.mirror.test_logger import make_mirror, mirrored, no_account
from tests.verbs.offline import offline_parts
from tests.verbs.wandb_server import wandb_server

__all__ = ["no_account"]

FAKE = """
import os, pathlib, sys
with open({log!r}, "a") as log:
    print(*sys.argv[1:], sep="\\t", file=log)
assert not [name for name in ("WANDB_MODE", "WANDB_SILENT") if name in os.environ]
print("wandb: Syncing", len(sys.argv) - 1, "run(s):")
for part in map(pathlib.Path, sys.argv[1:]):
    file, = part.glob("run-*.wandb")
    said = file.read_text()
    if said.startswith("says "):
        print("wandb: Find detailed error logs at: here")
        print(said.removeprefix("says "))
        break
    file.with_suffix(".wandb.synced").touch()
    file.with_suffix(".wandb.syncstate").touch()
"""


@pytest.fixture
def sent(tmp_path, monkeypatch):
    """Put a client in wandb's place that takes whatever holds no complaint; gives what it was called with, sorted."""
    monkeypatch.chdir(tmp_path)
    log, fake = tmp_path / "calls", tmp_path / "fake.py"
    fake.write_text(FAKE.format(log=str(log)))
    monkeypatch.setattr(sync, "COMMAND", (sys.executable, "-S", str(fake)))
    return lambda: sorted(log.read_text().splitlines()) if log.exists() else []


def make_part(name, start="20260101_120000", run_id="0badcafe", text="a run, as its header and records"):
    place = Path("outputs", name, "wandb", f"offline-run-{start}-{run_id}")
    place.mkdir(parents=True)
    (place / f"run-{run_id}.wandb").write_text(text)
    return place.absolute()


def entry(**changed):
    own = Process.own()
    known = {"verb": "train", "overrides": [], "config": "0" * 8, "state": "done", "start": now(), "end": now()}
    known |= {"host": own.host, "pid": own.pid, "born": own.born, "exit": 0, "error": "", "slurm": None, "log": None}
    return Entry(**{**known, "folder": "/", "config_dir": None, "sweep": True, "attempts": 1, **changed})


def test_every_run_is_sent_once_with_its_parts_in_order(sent):
    late, first = make_part("one", "20260103_000000"), make_part("one", "20260102_235959")
    other = make_part("deep/two", run_id="0badf00d")
    ended = babelscope("sync", "outputs")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines() == ["2 offline runs: 2 new", "Sent 2 of 2 runs"]
    assert sent() == sorted([f"{first}\t{late}", str(other)])
    again = babelscope("sync", "outputs")
    assert (again.code, again.out.splitlines()) == (0, ["2 offline runs: 2 sent"])
    assert len(sent()) == 2
    resumed = make_part("one", "20260104_000000")
    assert "1 new, 1 sent" in babelscope("sync", "outputs").out
    assert str(resumed) in sent()


def test_check_only_lists(sent):
    make_part("one")
    ended = babelscope("sync", "folder=outputs", "check=true")
    assert ended.code == 0
    assert ["new", "one", "0badcafe", "1"] in [line.split() for line in ended.out.splitlines()]
    assert sent() == []


def test_a_run_that_goes_on_and_one_that_left_nothing_wait(sent):
    for name in ("going", "done", "killed"):
        make_part(name)
    make_part("empty", text=":W&B...")
    write_entry(Path("outputs/going"), entry(state="running", end=None, exit=None))
    write_entry(Path("outputs/done"), entry())
    write_entry(Path("outputs/killed"), entry(state="running", end=None, exit=None, pid=2**22, born="1"))
    ended = babelscope("sync", "outputs")
    assert ended.code == 0
    assert ended.out.splitlines()[0] == "4 offline runs: 2 new, 1 running, 1 empty"
    assert [Path(line).parents[1].name for line in sent()] == ["done", "killed"]


def test_an_empty_part_does_not_keep_the_others(sent):
    make_part("one", "20260101_000000", text=":W&B...")
    whole = make_part("one", "20260102_000000")
    assert babelscope("sync", "outputs").code == 0
    assert sent() == [str(whole)]
    assert babelscope("sync", "outputs").out.splitlines() == ["1 offline run: 1 sent"]


def test_a_run_that_fails_is_named_and_the_others_go_on(sent):
    broken = make_part("broken", text="says wandb: ERROR Failed to read it: EOF.")
    later = make_part("broken", "20260102_000000")
    for name in ("one", "two"):
        make_part(name)
    ended = babelscope("sync", "outputs", "n_jobs=1")
    assert ended.code == 2
    assert "Sent 2 of 3 runs" in ended.out
    named, last = ended.lines
    assert named == "babelscope: [broken] Failed to read it: EOF"
    assert last.startswith("babelscope: Expected every run to upload, but 1 of 3 failed (see above); ")
    next(broken.glob("*.wandb")).write_text("mended, and whole")
    assert babelscope("sync", "outputs").code == 0
    assert sent().count(f"{broken}\t{later}") == 2
    assert len(sent()) == 4


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (
            "Error: No API key configured. Use `wandb login` to log in.",
            "Expected an account of wandb, but got: No API key",
        ),
        (
            "wandb: Not authenticated.",
            "Expected an account of wandb, but got: Not authenticated; log in by `wandb login`",
        ),
        ("wandb: ERROR POST x giving up after 4: dial tcp", "Expected the server of wandb to answer, but got: POST x"),
    ],
)
def test_what_concerns_all_ends_at_the_first(sent, said, message):
    for name in ("one", "two", "three"):
        make_part(name, text=f"says {said}")
    ended = babelscope("sync", "outputs", "n_jobs=1")
    assert ended.code == 2
    (line,) = ended.lines
    assert line.startswith(f"babelscope: {message}")
    assert "the offline runs stay where they are" in line
    assert len(sent()) < 3


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("nowhere",), "`folder` to hold offline runs of wandb, but got nowhere, which is not there"),
        (("bare",), "`folder` to hold offline runs of wandb, but got bare, which has none"),
        (("outputs", "n_jobs=true"), "`n_jobs` to be a whole number from 1 to 4294967295, but got True"),
        (("outputs", "n_jobs=0"), "`n_jobs` to be a whole number from 1 to 4294967295, but got 0"),
        (("outputs", "send=true"), "`send` to go with a dashboard, but got none; add dashboard=layers"),
        (("outputs", "dashboard=layer"), "`dashboard` to be one of layers, models, but got 'layer'"),
        (("outputs", "dashboard=layers"), "run folders, .* but got none"),
    ],
)
def test_what_a_user_can_mend_is_one_line(sent, given, message):
    make_part("one")
    Path("bare").mkdir()
    ended = babelscope("sync", *given)
    assert ended.code == 2
    (line,) = ended.lines
    assert re.search(message, line), line
    assert sent() == []


def test_without_an_account_the_client_itself_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_part("one")
    ended = babelscope("sync", "outputs")
    assert ended.code == 2
    (line,) = ended.lines
    assert line.startswith("babelscope: Expected an account of wandb, but got: No API key configured")
    assert not list(Path("outputs").rglob("*.synced"))


@pytest.fixture
def server(monkeypatch):
    with wandb_server() as served:
        monkeypatch.setenv("WANDB_BASE_URL", served.url)
        monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
        yield served


def log_some(folder, values, *, exit_code=0, run_id="0badcafe"):
    """Write one part of a run, as a job that ends by an exit code."""
    begun = {part.file.parent.name[12:27] for part in offline_parts(folder)}
    while time.strftime("%Y%m%d_%H%M%S") in begun:  # parts are named by the second in which they began
        time.sleep(0.05)
    mirror = make_mirror(folder, group="a_sweep", id=run_id)
    try:
        with mirrored([mirror], {"seed": 0}):
            for epoch, value in enumerate(values):
                mirror.log_metrics({"ilo/layer_00": value, "epoch": epoch}, step=epoch)
            if exit_code:
                raise SystemExit(exit_code)
    except SystemExit:
        pass


def test_the_client_itself_appends_the_parts_of_a_resumed_run(tmp_path, monkeypatch, server):
    """wandb's own client, sent to a server of ours: lines of history by their offsets, over several commands."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WANDB_API_KEY")
    one, other = Path("outputs/one"), Path("outputs/other")
    log_some(one, [0.1, 0.2], exit_code=143)
    log_some(other, [0.9], run_id="0badf00d")
    offline_parts(Path("outputs"))
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    ended = babelscope("sync", "outputs")
    assert (ended.code, ended.err) == (0, "")
    assert [line["ilo/layer_00"] for line in server.history["0badcafe"]] == [0.1, 0.2]
    assert server.exits == {"0badcafe": [143], "0badf00d": [0]}
    assert set(server.groups.values()) == {"a_sweep"}
    monkeypatch.delenv("WANDB_API_KEY")
    log_some(one, [0.3], exit_code=1)
    log_some(one, [0.4, 0.5])
    offline_parts(Path("outputs"))
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    assert babelscope("sync", "outputs").code == 0
    lines = server.history["0badcafe"]
    assert [line["ilo/layer_00"] for line in lines] == [0.1, 0.2, 0.3, 0.4, 0.5]
    assert [line["_step"] for line in lines] == [0, 1, 2, 3, 4]
    assert server.exits["0badcafe"] == [143, 1, 0]
    assert server.history["0badf00d"][0]["ilo/layer_00"] == 0.9
    assert babelscope("sync", "outputs").out.splitlines() == ["2 offline runs: 2 sent"]
    assert len(server.exits["0badf00d"]) == 1
    assert {run.state for run in offline_runs(Path("outputs"))} == {"sent"}

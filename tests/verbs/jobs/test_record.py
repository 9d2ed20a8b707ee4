"""Jobs by the book: what is written as they begin and end, what is skipped, and what is refused."""

from dataclasses import replace
from pathlib import Path

import pytest
from filelock import FileLock
from omegaconf import OmegaConf

from babelscope.sweeps.ledger import Entry, entries, folder_of, lock_of, path_of, read_entry, write_entry
from babelscope.sweeps.processes import Process, is_first_rank
from babelscope.verbs.errors import exit_code
from babelscope.verbs.jobs.record import _how
from tests.models.tiny import save_checkpoint
from tests.sweeps.entries import ENTRY
from tests.verbs.command import FIVE, babelscope, written

pytestmark = pytest.mark.usefixtures("somewhere")

BASIC = ("hydra/launcher=basic",)
"""Jobs in this process, which is much faster than processes of their own."""


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return save_checkpoint(tmp_path_factory.mktemp("ledger") / "tiny", "xlm-roberta")


@pytest.fixture
def probe(tiny):
    return (
        "probe",
        f"model.checkpoint={tiny}",
        f"languages.codes={FIVE}",
        "metrics=ilo",
        *BASIC,
        "output='runs/${sentences}'",
    )


def entry_of(folder: Path) -> Entry:
    return read_entry(path_of(folder))


def skipped(ended):
    begins, ends = "Finished already: ", "; delete it to run it again"
    lines = [line for line in ended.out.splitlines() if line.startswith(begins) and line.endswith(ends)]
    return [Path(line.removeprefix(begins).removesuffix(ends)).name for line in lines]


def test_a_job_is_written_down_as_it_begins_and_ends(probe, monkeypatch, somewhere):
    seen = []
    monkeypatch.setenv("SLURM_JOB_ID", "77")
    monkeypatch.setattr("babelscope.verbs.probe.write_page", lambda *_: seen.append(entry_of(Path("runs/6"))))
    ended = babelscope(*probe, "-m", "sentences=6,9999")
    assert ended.code == 2
    (running,) = seen
    own = Process.own()
    assert (running.state, running.end, running.exit, running.slurm) == ("running", None, None, "77")
    assert (running.host, running.pid, running.born) == (own.host, own.pid, own.born)
    done, failed = entry_of(Path("runs/6")), entry_of(Path("runs/9999"))
    assert replace(done, state="running", end=None, exit=None) == running
    assert (done.state, done.exit, done.error, done.verb, done.attempts) == ("done", 0, "", "probe", 1)
    assert done.overrides[-1] == "sentences=6"
    assert done.folder == str(somewhere)
    assert (failed.state, failed.exit) == ("failed", 2)
    assert f"babelscope: [{' '.join(failed.overrides)}] {failed.error}\n" == ended.err
    assert not Path("runs/9999").exists()
    assert written(Path("runs/.jobs")) == ["6.json", "6.lock", "9999.json", "9999.lock"]


def test_the_hash_is_that_of_the_folders_name(probe):
    named = (*probe[:-1], "output='runs/x-${fingerprint:}'")
    assert babelscope(*named, "-m", "sentences=6").code == 0
    (path,) = entries(Path("runs"))
    assert folder_of(path).name == f"x-{read_entry(path).config}"


def test_a_repeated_sweep_skips_what_is_done(probe):
    assert babelscope(*probe, "-m", "sentences=6,9999").code == 2
    before = {path: path.stat().st_mtime_ns for path in Path("runs/6").rglob("*")}
    again = babelscope(*probe, "-m", "sentences=6,7,8,9999")
    assert again.code == 2
    assert skipped(again) == ["6"]
    assert {path: path.stat().st_mtime_ns for path in Path("runs/6").rglob("*")} == before
    assert {path.name: read_entry(path).attempts for path in entries(Path("runs"))} == {
        **{"6.json": 1, "7.json": 1, "8.json": 1, "9999.json": 2}
    }
    for part in Path("runs/7").rglob("*.*"):
        part.unlink()
    third = babelscope(*probe, "-m", "sentences=6,7,8")
    assert (third.code, third.err) == (0, "")
    assert skipped(third) == ["6", "8"]
    assert Path("runs/7/run.yaml").is_file()


def test_a_single_command_is_not_in_the_ledger_unless_it_is_known_there(probe):
    assert babelscope(*probe, "sentences=6").code == 0
    assert not path_of(Path("runs/6")).exists()
    assert babelscope(*probe, "-m", "sentences=9999").code == 2
    assert babelscope(*probe, "sentences=9999").code == 2
    assert entry_of(Path("runs/9999")).attempts == 2


def test_a_single_train_is_in_the_ledger_once_there_is_something_to_find(tiny, monkeypatch):
    given = ("train", f"model.checkpoint={tiny}", f"languages.codes={FIVE}", "output=runs/one", "logger=none")
    assert babelscope(*given, "sentences=9999").code == 2
    assert written(Path()) == []

    def interrupted(*_, **__):
        Path("runs/one/results").mkdir(exist_ok=True)
        Path("runs/one/results/kept.txt").write_text("")
        raise KeyboardInterrupt

    monkeypatch.setattr("babelscope.verbs.train.describe", interrupted)
    assert babelscope(*given, "sentences=6").code == 130
    entry = entry_of(Path("runs/one"))
    assert (entry.state, entry.exit, entry.error, entry.sweep) == ("interrupted", 130, "interrupted", False)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RuntimeError("ours"), 1),
        (ValueError("a user's"), 2),
        (KeyboardInterrupt(), 130),
        (SystemExit(143), 143),
        (SystemExit(-1), 255),
        (SystemExit("why"), 1),
        (SystemExit(), 0),
    ],
)
def test_a_job_ends_with_the_exit_code_of_its_process(error, code):
    assert exit_code(error) == _how(error)["exit"] == code


def test_a_job_that_another_process_runs_is_refused(probe, somewhere):
    other = Process.own()
    entry = replace(ENTRY, host=other.host, pid=4711, end=None)
    write_entry(Path("runs/6"), entry)
    with FileLock(lock_of(Path("runs/6"))):
        ended = babelscope(*probe, "-m", "sentences=6,7")
    assert ended.code == 2
    (line,) = ended.lines
    assert (
        f"no other process to run {somewhere / 'runs' / '6'}, but process 4711 on {other.host} has run it since" in line
    )
    assert entry_of(Path("runs/6")) == entry
    assert entry_of(Path("runs/7")).state == "done"


def test_a_single_command_holds_its_folder_and_leaves_no_lock(probe, monkeypatch):
    single = [one for one in probe if one not in BASIC]
    held = []
    monkeypatch.setattr("babelscope.verbs.probe.write_page", lambda *_: held.append(lock_of(Path("runs/6")).exists()))
    assert babelscope(*single, "sentences=6").code == 0
    assert held == [True]
    assert sorted(path.name for path in Path("runs").iterdir()) == ["6"]
    lock_of(Path("runs/6")).parent.mkdir()
    with FileLock(lock_of(Path("runs/6"))):
        ended = babelscope(*single, "sentences=6", "threads=1")
    assert (ended.code, len(ended.lines)) == (2, 1)
    assert "no other process to run" in ended.err
    assert babelscope(*single, "sentences=6", "threads=1").code == 0


def test_another_configuration_is_refused_to_a_further_process_too(probe, monkeypatch):
    fixed = (*probe[:-1], "output=runs/one", "sentences=6", "-m")
    assert babelscope(*fixed, "seed=1").code == 0
    monkeypatch.setenv("RANK", "1")
    ended = babelscope(*fixed, "seed=2")
    assert (ended.code, len(ended.lines)) == (2, 1)
    assert "hold a run of this configuration, but got one with seed=1" in ended.err


def test_another_configuration_under_the_same_folder_is_refused(probe):
    fixed = (*probe[:-1], "output=runs/one", "sentences=6", "-m")
    assert babelscope(*fixed, "seed=1").code == 0
    before = written(Path("runs"))
    ended = babelscope(*fixed, "seed=1", "max_tokens=2048")
    assert (ended.code, len(ended.lines)) == (2, 1)
    assert "hold a run of this configuration, but got one with max_tokens=4096 where this one has 2048;" in ended.err
    same = babelscope(*fixed, "seed=1", f"output={Path('runs/one').absolute()}")
    assert (same.code, same.err) == (0, "")
    assert skipped(same) == ["one"]
    assert written(Path("runs")) == before
    assert entry_of(Path("runs/one")).state == "done"


def test_a_torn_entry_is_named_and_written_anew(probe):
    assert babelscope(*probe, "-m", "sentences=6").code == 0
    path = path_of(Path("runs/6").absolute())
    path.write_text(path.read_text()[:40])
    ended = babelscope(*probe, "-m", "sentences=6")
    assert ended.code == 0
    assert ended.err == f"WARNING: {path} is damaged or not a job record; it will be overwritten.\n"
    assert read_entry(path).state == "done"


@pytest.mark.parametrize("rank", ["RANK", "LOCAL_RANK", "SLURM_PROCID"])
def test_only_the_first_rank_keeps_books(probe, rank, monkeypatch):
    monkeypatch.setenv(rank, "0")
    assert is_first_rank()
    monkeypatch.setenv(rank, "1")
    assert not is_first_rank()
    babelscope(*probe, "-m", "sentences=9999")
    assert not path_of(Path("runs/9999")).exists()


def test_several_models_in_one_folder_are_one_job(tmp_path):
    names = [save_checkpoint(tmp_path / name, "xlm-roberta", seed=seed) for seed, name in enumerate("ab")]
    given = ("tokens", "-m", f"models=[{','.join(map(str, names))}]", "output=runs/two", "probe=null", "k=[5]", *BASIC)
    assert babelscope(*given, "pairs=null").code == 0
    again = babelscope(*given, "pairs=null")
    assert (again.code, again.err) == (0, "")
    assert skipped(again) == ["two"]
    other = babelscope(*given, "pairs=null", "seed=3")
    assert (other.code, len(other.lines)) == (2, 1)
    assert "seed=0 where this one has 3" in other.err
    kept = OmegaConf.load(next(Path("runs/two").glob("*/run.yaml")))
    assert kept.seed == 0

import json
import os
import platform
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from babelscope import files
from babelscope.files import born, whole_file, whole_folder, write_json, write_text

WRITE = """
import os, sys
from pathlib import Path
from babelscope.files import whole_file, whole_folder
folder = Path(sys.argv[1])
with whole_folder(folder) as half, whole_file(folder.with_name("made.json")) as file:
    (half / "theirs").write_text("half")
    file.write_text("half")
    print("writing", flush=True)
    if input() == "die":
        os.kill(os.getpid(), 9)
"""


def writing(folder: Path, *before: str) -> subprocess.Popen[str]:
    """Start a process that writes a folder and a file beside it; it goes on, or dies, when it is told to."""
    command = [*before, sys.executable, "-c", WRITE, str(folder)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "writing\n"
    return process


def leave(folder: Path, *before: str) -> list[Path]:
    """Let a process be killed while it writes, and return what it left."""
    process = writing(folder, *before)
    process.communicate("die\n")
    assert process.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL)
    left = sorted(folder.parent.glob(".*made*"))
    assert len(left) == 2
    return left


def write_both(folder: Path) -> None:
    with whole_folder(folder) as half, whole_file(folder.with_name("made.json")) as file:
        (half / "ours").write_text("whole")
        file.write_text("whole")


def test_a_folder_appears_when_it_is_whole_and_replaces_the_old_one(tmp_path):
    folder = tmp_path / "deep" / "made"
    for text in ("old", "new"):
        with whole_folder(folder) as temporary:
            (temporary / "file").write_text(text)
            assert not folder.exists() or (folder / "file").read_text() == "old"
        assert (folder / "file").read_text() == text
    assert [path.name for path in folder.parent.iterdir()] == ["made"]
    assert folder.stat().st_mode & 0o055 == 0o055 & folder.parent.stat().st_mode  # readable like its neighbours


def test_a_failure_leaves_the_old_folder_and_nothing_else(tmp_path):
    folder = tmp_path / "made"
    with whole_folder(folder) as temporary:
        (temporary / "file").write_text("old")

    def interrupted():
        with whole_folder(folder) as temporary:
            (temporary / "file").write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert (folder / "file").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["made"]


@pytest.mark.parametrize("moment", ["before the end", "at the end"])
def test_what_somebody_else_has_made_meanwhile_stays(tmp_path, monkeypatch, moment):
    folder = tmp_path / "states"

    def other():
        folder.mkdir()
        (folder / "manifest.json").write_text("theirs")

    if moment == "at the end":
        replace = Path.replace
        monkeypatch.setattr(Path, "replace", lambda *names: (other(), replace(*names))[1])
    with whole_folder(folder, keep="manifest.json") as temporary:
        (temporary / "manifest.json").write_text("ours")
        if moment == "before the end":
            other()
    assert (folder / "manifest.json").read_text() == "theirs"
    assert [path.name for path in tmp_path.iterdir()] == ["states"]


def test_a_folder_without_the_file_is_replaced(tmp_path):
    (tmp_path / "states").mkdir()
    with whole_folder(tmp_path / "states", keep="manifest.json") as temporary:
        (temporary / "manifest.json").write_text("ours")
    assert (tmp_path / "states" / "manifest.json").read_text() == "ours"


def test_json_and_text_are_whole(tmp_path):
    path = write_json(tmp_path / "new", "manifest", {"b": 1, "a": "ʒ"})
    assert list(json.loads(path.read_text(encoding="utf-8"))) == ["b", "a"]
    with pytest.raises(TypeError):
        write_json(tmp_path / "new", "manifest", {"b": object()})
    assert write_text(tmp_path / "new" / "run.yaml", "x: é\n").read_text(encoding="utf-8") == "x: é\n"
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["manifest.json", "run.yaml"]


def test_an_error_names_the_file_as_it_will_be_called(tmp_path):
    with pytest.raises(FileNotFoundError) as told, whole_file(tmp_path / "run.yaml"):
        pass
    assert told.value.filename == str(tmp_path / "run.yaml")


def test_what_killed_processes_left_is_gone_after_the_next_write(tmp_path):
    for _ in range(2):
        leave(tmp_path / "made")
        write_both(tmp_path / "made")
        assert sorted(path.name for path in tmp_path.iterdir()) == ["made", "made.json"]


def test_what_a_live_process_writes_stays(tmp_path):
    process = writing(tmp_path / "made")
    write_both(tmp_path / "made")
    assert len(list(tmp_path.iterdir())) == 4
    process.communicate("go on\n")
    assert process.returncode == 0
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["made", "made.json", "theirs"]
    assert (tmp_path / "made.json").read_text() == "half"


@pytest.mark.parametrize("host", ["elsewhere", f"x-{platform.node()}", f"{platform.node()}-x"])
def test_what_was_left_on_another_host_stays(tmp_path, monkeypatch, host):
    left = leave(tmp_path / "made")
    monkeypatch.setattr(platform, "node", lambda: host)
    write_both(tmp_path / "made")
    assert all(path.exists() for path in left)


def test_what_a_container_writes_stays(tmp_path, monkeypatch):
    apart = ("unshare", "--pid", "--fork", "--kill-child")
    if subprocess.run([*apart, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no right to make a container")
    process = writing(tmp_path / "made", *apart)
    monkeypatch.setattr(files, "born", lambda pid: None)  # nobody here has the number that it has there
    write_both(tmp_path / "made")
    process.communicate("go on\n")
    assert process.returncode == 0
    assert (tmp_path / "made" / "theirs").exists()


@pytest.mark.parametrize("name", ["made-2", "made-", "2-made", "MADE", "made.json", "ma[d]e", f"made-{'0' * 8}-1@x"])
def test_what_was_left_of_another_name_stays(tmp_path, name):
    kept = [path.rename(path.with_name(path.name.replace("made", name, 1))) for path in leave(tmp_path / "made")]
    write_both(tmp_path / "made")
    assert all(path.exists() for path in kept)


def test_names_may_have_any_character(tmp_path):
    folder = tmp_path / "made [1]*? step=3-x@y"
    leave(folder)
    write_both(folder)
    assert sorted(path.name for path in tmp_path.iterdir()) == [folder.name, "made.json"]


def test_processes_that_start_at_once_do_not_disturb_each_other(tmp_path):
    folder = tmp_path / "made"
    leave(folder)
    many = [writing(folder) for _ in range(3)]
    assert len(list(tmp_path.iterdir())) == 6
    for process in many:
        process.communicate("go on\n")
        assert process.returncode == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["made", "made.json"]


def test_a_process_whose_birth_is_hidden_is_there(monkeypatch):
    def refuse(*args):
        raise PermissionError

    monkeypatch.setattr(os, "kill", refuse)  # another user's
    assert born(os.getpid()).isdigit()
    monkeypatch.setattr(Path, "read_text", lambda *args, **options: (_ for _ in ()).throw(FileNotFoundError()))
    assert born(os.getpid()) == ""

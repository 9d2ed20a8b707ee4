"""Processes of jobs: bounded, fresh, with their own output and environment, and gone when who asked for them is."""

import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from babelscope.sweeps.pool import BEGINS, Command, run_commands


def test_each_has_a_process_and_an_exit_code_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given = [Command(["report", f"runs={name}"], name, tmp_path / "logs" / name) for name in "abcd"]
    assert {command.name: code for command, code in run_commands(given, n_jobs=2)} == dict.fromkeys("abcd", 2)
    for name in "abcd":
        begins, line = (tmp_path / "logs" / name).read_text().splitlines()
        assert begins.startswith(BEGINS)
        assert line.startswith(f"babelscope: [{name}] Expected")


def test_no_commands_no_processes():
    assert list(run_commands([], n_jobs=3)) == []


def test_commands_are_taken_as_processes_become_free(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    taken = []

    def waiting():
        for name in "abcde":
            taken.append(name)
            yield Command(["report", f"runs={name}"], name, tmp_path / name)

    seen = [len(taken) for _ in run_commands(waiting(), n_jobs=2)]
    assert seen[0] <= 4
    assert len(seen) == len(taken) == 5


def test_environment_and_place_are_those_of_the_moment(tmp_path, monkeypatch):
    for name in ("first", "second"):
        place = tmp_path / name
        place.mkdir()
        monkeypatch.chdir(place)
        monkeypatch.setenv("BABELSCOPE_PLACE", str(place / "nothing"))
        given = Command(["report", "runs=${oc.env:BABELSCOPE_PLACE}"], name, tmp_path / f"{name}.log")
        assert [code for _, code in run_commands([given], n_jobs=1)] == [2]
        assert str(place / "nothing") in (tmp_path / f"{name}.log").read_text()


def test_a_job_leaves_what_the_server_made_and_removes_its_own():
    script = textwrap.dedent("""
        import tempfile
        from babelscope.sweeps.pool import _leave_exit_to_server

        servers = tempfile.TemporaryDirectory()
        _leave_exit_to_server()
        own = tempfile.TemporaryDirectory()
        print(servers.name, own.name)
    """)
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    servers, own = map(Path, ended.stdout.split())
    assert servers.is_dir()
    assert not own.exists()
    servers.rmdir()


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="reads /proc")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_jobs_end_with_who_asked_for_them(tmp_path, how):
    script = textwrap.dedent("""
        import os, sys, threading
        from babelscope.sweeps import pool

        def forever(*_):
            threading.Thread(target=pool._end_with_parent, daemon=True).start()
            open(sys.argv[1], "w").write(str(os.getpid()))
            threading.Event().wait()

        pool._run = forever
        if __name__ == "__main__":
            list(pool.run_commands([pool.Command(["report"], "x")], n_jobs=1))
    """)
    (tmp_path / "script.py").write_text(script)
    parent = subprocess.Popen([sys.executable, "script.py", str(tmp_path / "pid")], cwd=tmp_path, stderr=-3)
    until = time.monotonic() + 60
    while not (tmp_path / "pid").is_file() or not (tmp_path / "pid").read_text():
        assert time.monotonic() < until
        time.sleep(0.05)
    pid = int((tmp_path / "pid").read_text())
    parent.send_signal(how)
    parent.wait(timeout=30)
    until = time.monotonic() + 30
    while Path(f"/proc/{pid}/stat").exists() and Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z":
        assert time.monotonic() < until, "the job outlived its command"
        time.sleep(0.05)

"""Who is still there: seen by the process on this host, and by Slurm's queue."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from babelscope.sweeps.processes import Process
from babelscope.sweeps.slurm_queue import queued
from tests.sweeps.entries import ENTRY


def test_interrupted_is_seen_by_the_process():
    own = Process.own()
    alive = replace(ENTRY, host=own.host, pid=own.pid, born=own.born)
    assert alive.state_now(None) == "running"
    assert replace(alive, born=f"{own.born}0").state_now(None) == "interrupted"  # a later process of that number
    assert ENTRY.state_now(None) == "running"  # who knows, from here
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    process = Process(own.host, child.pid, Path(f"/proc/{child.pid}/stat").read_text().split()[21])
    assert process.is_alive()
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not process.is_alive()  # not even as long as nobody has asked for its exit code
    child.communicate()
    assert not process.is_alive()


def test_interrupted_is_seen_by_the_queue(tmp_path, monkeypatch):
    slurm = replace(ENTRY, slurm="12")
    assert slurm.state_now({"11": "RUNNING", "12": "RUNNING"}) == "running"
    assert slurm.state_now({"11": "RUNNING"}) == "interrupted"
    assert slurm.state_now({}) == "interrupted"
    assert slurm.state_now(None) == "running"
    assert replace(slurm, state="done").state_now({}) == "done"
    told = replace(slurm, state="interrupted")
    assert [told.state_now(queue) for queue in ({"12": "PENDING"}, {"12": "COMPLETING"}, {}, None)] == [
        *("running", "interrupted", "interrupted", "interrupted")
    ]
    gone = replace(slurm, host=Process.own().host)
    assert gone.state_now({"12": "PENDING"}) == "running"  # requeued
    assert gone.state_now({"12": "RUNNING"}) == "interrupted"  # killed in an allocation that lives on
    squeue = tmp_path / "squeue"
    squeue.write_text("#!/bin/sh\necho '12|12|RUNNING'\necho '14|13_1|PENDING'\n")
    squeue.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert queued() == {"12": "RUNNING", "14": "PENDING", "13_1": "PENDING"}
    squeue.write_text("#!/bin/sh\necho 'slurm_load_jobs error' >&2\nexit 1\n")
    assert queued() is None
    monkeypatch.setenv("PATH", "")
    assert queued() is None

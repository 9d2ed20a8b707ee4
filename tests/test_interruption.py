"""Ctrl-C: nothing is left, and one line says so, however many processes there were."""

import os
import signal
import subprocess
import sys

import pytest

from babelscope.sweeps.pool import LOG, NAME
from tests.models.tiny import save_checkpoint
from tests.verbs.command import FIVE, babelscope, written

pytestmark = pytest.mark.usefixtures("somewhere")


def test_interruption_leaves_nothing(monkeypatch, somewhere):
    def interrupted(root):
        raise KeyboardInterrupt

    monkeypatch.setattr("babelscope.verbs.probe.build_metrics", interrupted)
    ended = babelscope("probe")
    assert (ended.code, ended.err) == (130, "babelscope: interrupted\n")
    assert written(somewhere) == []


def test_an_interruption_is_said_once(monkeypatch, somewhere):
    def interrupted(root):
        raise KeyboardInterrupt

    monkeypatch.setattr("babelscope.verbs.probe.build_metrics", interrupted)
    monkeypatch.setenv(NAME, "seed=0")  # a job on the terminal of the command of its sweep, which says so
    ended = babelscope("probe")
    assert (ended.code, ended.err) == (130, "")
    monkeypatch.setenv(LOG, "job.log")  # and one with a log of its own
    assert babelscope("probe").err == "babelscope: interrupted\n"


def test_a_sweep_that_is_interrupted_says_so_once(somewhere, tmp_path):
    tiny = save_checkpoint(tmp_path / "tiny", "xlm-roberta")
    own = tmp_path / "waits.py"
    own.write_text("import time\n\n\ndef corpus(languages, **_):\n    print('here', flush=True)\n    time.sleep(60)\n")
    given = (
        "probe",
        "-m",
        "seed=0,1",
        "corpus._target_=waits.corpus",
        f"languages.codes={FIVE}",
        "output='runs/${seed}'",
        f"model.checkpoint={tiny}",
    )
    pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    process = subprocess.Popen([sys.executable, "-m", "babelscope", *given], env=environment, **pipe)
    try:
        for line in process.stdout:
            if line == "here\n":
                break
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, err) == (130, "babelscope: interrupted\n")

"""Where warnings go, under every choice that Hydra has for logging; in processes of their own, which one silences."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.usefixtures("somewhere")

WARN = """
import logging, sys
from types import SimpleNamespace
from babelscope import cli

def main(cfg, folder):
    logging.getLogger("some.library").warning("mind")
    logging.getLogger("some.library").info("chatter")

sys.modules["babelscope.verbs.runs"] = SimpleNamespace(main=main)
sys.argv = ["babelscope", "runs", *sys.argv[1:]]
cli.main()
"""


def warn(*choice: str) -> tuple[str, str]:
    """Return what a verb that warns has on stdout and on stderr."""
    command = [sys.executable, "-c", WARN, *choice]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout, ended.stderr


@pytest.mark.parametrize("choice", [(), ("hydra/job_logging=stdout",), ("hydra/job_logging=default",)])
def test_warnings_are_one_line_on_stderr(choice):
    assert warn(*choice) == ("", "WARNING: mind\n")


def test_logging_can_be_disabled():
    assert warn("hydra/job_logging=disabled") == ("", "")


def test_logging_can_be_left_as_hydra_has_it():
    out, err = warn("hydra/job_logging=none")
    assert [line.rpartition("] ")[2] for line in out.splitlines()] == ["mind", "chatter"]
    assert err == ""

from types import SimpleNamespace

from babelscope.sweeps.ledger import log_of
from babelscope.sweeps.pool import BEGINS
from babelscope.verbs.launchers.ends import end_of


def test_what_an_earlier_attempt_said_is_not_said_of_this_one(tmp_path):
    job = SimpleNamespace(folder=tmp_path / "run", name="seed=0")
    log = log_of(job.folder)
    log.parent.mkdir()
    first = f"{BEGINS}1\nTraining\nbabelscope: [seed=0] Expected `k`, but got none; give one.\n"
    log.write_text(first)
    assert end_of(job, 2).line == "Expected `k`, but got none; give one."
    log.write_text(f"{first}{BEGINS}2\nTraining\n")
    assert end_of(job, 143).line == f"exit code 143: {log}"
    assert "killed by SIGKILL" in end_of(job, -9).line

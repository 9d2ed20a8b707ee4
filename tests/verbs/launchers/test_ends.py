from types import SimpleNamespace

import pytest

from babelscope.sweeps.ledger import log_of
from babelscope.sweeps.pool import BEGINS
from babelscope.verbs.launchers.ends import JobResult, exit_if_failed, result_of


def test_what_an_earlier_attempt_said_is_not_said_of_this_one(tmp_path):
    job = SimpleNamespace(folder=tmp_path / "run", name="seed=0")
    log = log_of(job.folder)
    log.parent.mkdir()
    first = f"{BEGINS}1\nTraining\nbabelscope: [seed=0] Expected `k`, but got none; give one.\n"
    log.write_text(first)
    assert result_of(job, 2).line == "Expected `k`, but got none; give one."
    log.write_text(f"{first}{BEGINS}2\nTraining\n")
    assert result_of(job, 143).line == f"exit code 143: {log}"
    assert "killed by SIGKILL" in result_of(job, -9).line
    assert result_of(job, 130).line == "interrupted; repeat the command, which goes on from its last checkpoint."


def test_a_sweep_whose_job_was_told_to_end_did_not_come_to_its_end(tmp_path, capsys):
    jobs = [SimpleNamespace(folder=tmp_path / name, name=name) for name in "ab"]
    log = log_of(jobs[1].folder)
    log.parent.mkdir()
    log.write_text(f"{BEGINS}1\nTraining\n\nbabelscope: told to end by SIGTERM; the same command begins anew\n")
    ended = result_of(jobs[1], 143)
    assert ended.line == f"told to end by SIGTERM; the same command begins anew: {log}"
    with pytest.raises(SystemExit) as end:
        exit_if_failed([JobResult(jobs[0], 0, ""), ended])
    assert end.value.code == 1
    assert "1 of 2 jobs failed (see above); fix the cause and repeat the command" in capsys.readouterr().err

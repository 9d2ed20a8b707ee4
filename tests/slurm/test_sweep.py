"""Sweeps that jobs, nodes and the command itself are taken away from: they end with the rows of undisturbed ones."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from babelscope.sweeps.slurm_signals import REQUEUED
from tests.slurm.conftest import ask, ended, entry_of, hurry, local_slurm, number_of, rows, until, until_step
from tests.verbs.command import babelscope

URGENT = ("sbatch", "--partition=urgent", "--exclusive", "--output=/dev/null", "--mem=10", "--wrap=true")


@pytest.fixture(scope="module")
def undisturbed(training, tmp_path_factory):
    """Rows of a run, by its seed, that nobody disturbed, in this process."""
    folder, known = tmp_path_factory.mktemp("undisturbed"), {}

    def run(seed: int) -> pd.DataFrame:
        if seed not in known:
            place = folder / str(seed)
            place.mkdir()
            (place / "go").touch()
            done = babelscope("train", *training, f"seed={seed}", f"output={place}")
            assert done.code == 0, done.err
            known[seed] = rows(place)
            assert {"test_accuracy", "ilo"} <= {*known[seed]["metric"]}
        return known[seed]

    return run


def test_a_sweep_loses_nothing_and_repeats_nothing(sweep, slurm, undisturbed, tmp_path):
    runs = [tmp_path / "runs" / str(seed) for seed in range(4)]
    killed, cancelled, preempted, done = runs
    done.mkdir(parents=True)
    (done / "go").touch()
    first = sweep("seed=0,1,2,3", "output=runs/${seed}")
    for step, run in enumerate(runs[:3], 3):
        until_step(run, step)
    until(lambda: entry_of(done).state == "done")
    before = {run: entry_of(run) for run in runs}
    os.kill(before[killed].pid, signal.SIGKILL)
    ask(slurm, "scancel", number_of(cancelled))
    first.kill()
    ask(slurm, *URGENT)
    again = sweep("seed=0,1,2,3", "output=runs/${seed}")
    hurry(slurm, number_of(preempted))
    for run in runs:
        (run / "go").touch()
    code, out, lines = ended(again)
    assert (code, lines) == (0, []), (out, lines)
    assert "Done already and skipped, 1 in all: 3;" in out
    assert "Jobs in Slurm: 3, new ones: 2;" in out
    for seed, run in enumerate(runs):
        pd.testing.assert_frame_equal(undisturbed(seed), rows(run), check_exact=True)
    after = {run: entry_of(run) for run in runs}
    assert [after[run].attempts for run in runs] == [2, 2, 2, 1]
    assert after[done] == before[done]
    assert after[preempted].slurm == before[preempted].slurm
    # both that were told to had the time to save, within an epoch
    for run in (cancelled, preempted):
        said = Path(before[run].log).read_text()
        assert int(re.search(r"told to end by SIGTERM; saved at step (\d+)", said)[1]) % 40
    assert REQUEUED in Path(after[preempted].log).read_text()
    # the table of the ledger knows nothing else
    assert babelscope("runs", tmp_path / "runs").out.splitlines()[-1] == "4 jobs: 4 done"


def test_a_detached_job_outlives_controller_preemption_and_time_limit(sweep, slurm, undisturbed, tmp_path):
    run = tmp_path / "runs" / "0"
    job = ("output=runs/${seed}", "hydra.launcher.partition=spot", "hydra.launcher.timeout_min=10")
    code, out, _ = ended(sweep(*job, "hydra.launcher.detach=true"))
    assert code == 0
    assert "Jobs in Slurm: 1, new ones: 1;" in out
    interrupted, impatient, patient = sweep(*job), sweep(*job, "hydra.launcher.patience_s=1"), sweep(*job)
    for process in (interrupted, impatient, patient):
        assert "Jobs in Slurm: 1, new ones: 0;" in process.stdout.readline()
    interrupted.send_signal(signal.SIGINT)
    code, out, _ = ended(interrupted)
    assert code == 130
    assert "The jobs stay in Slurm: repeat the command to wait for them" in out
    until_step(run, 3)
    # the controller goes and comes back
    os.kill(int((Path(slurm["BABELSCOPE_SLURM"]) / "slurmctld.pid").read_text()), signal.SIGTERM)
    code, _, lines = ended(impatient)
    assert code == 2
    assert re.search("Expected Slurm's controller to answer `s\\w+`, but got: .*; when it is back, run the", lines[-1])
    while "the controller does not answer; waiting for it up to 600 s" not in patient.stdout.readline():
        pass
    assert local_slurm("start", slurm).returncode == 0
    # in its grace time, a job that would be cancelled requeues itself
    number, log = number_of(run), Path(entry_of(run).log)
    ask(slurm, *URGENT)
    hurry(slurm, number)
    step = int((run / "steps").read_text())
    until_step(run, step + 2)
    # and before its time limit
    ask(slurm, "scontrol", "update", f"JobId={number}", "TimeLimit=1")
    hurry(slurm, number, "TimeLimit=10")
    (run / "go").touch()
    code, _, lines = ended(patient)
    assert (code, lines) == (0, []), (out, lines)
    pd.testing.assert_frame_equal(undisturbed(0), rows(run), check_exact=True)
    assert entry_of(run).attempts == 3
    told = re.findall(r"told to end by (\w+); saved at step (\d+)", log.read_text())
    assert [name for name, _ in told] == ["SIGTERM", "SIGUSR2"]
    assert log.read_text().count(REQUEUED) == 2


def test_processes_of_one_job_are_those_of_a_plain_command(sweep, slurm, training, tmp_path):
    two = ("trainer.devices=2", "trainer.strategy=ddp", "trainer.max_epochs=1")
    plain, run = tmp_path / "plain", tmp_path / "runs" / "wait"
    plain.mkdir()
    (plain / "go").touch()
    command = [sys.executable, "-m", "babelscope", "train", *training, *two, f"output={plain}"]
    alone = subprocess.Popen(command, cwd=tmp_path, env=slurm, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    job = sweep(*two, "callbacks.doing.what=wait,rank", "output=runs/${callbacks.doing.what}")
    until_step(run, 2)
    ask(slurm, "scancel", "--signal=USR2", number_of(run))
    hurry(slurm, number_of(run))
    (run / "go").touch()
    code, out, lines = ended(job)
    # the failure of one process ends the others
    assert "what=rank] Expected rank 1 to be well, but got one that is not; cure it." in lines[0]
    assert (code, len(lines)) == (2, 2)
    assert "2/2 done: wait" in out
    assert entry_of(run).attempts == 2
    assert alone.wait(90) == 0
    pd.testing.assert_frame_equal(rows(plain), rows(run), check_exact=True)
    assert "#SBATCH --ntasks-per-node=2" in next((tmp_path / "outputs" / ".slurm").rglob("*submission.sh")).read_text()

"""How jobs ended, where there is no Slurm to ask."""

import pytest
from submitit import SlurmJob

from babelscope.sweeps import slurm_queue
from babelscope.sweeps.ledger import Entry, write_entry
from babelscope.sweeps.slurm_end import slurm_outcome
from babelscope.sweeps.slurm_signals import REQUEUED


@pytest.fixture
def end(monkeypatch, tmp_path):
    """Tell how a job ended, by its state, exit code and the logs of its processes."""

    def tell(state: str, code: int = 0, *logs: str) -> tuple[int, str]:
        monkeypatch.setattr(slurm_queue, "exit_code", lambda job: code)
        job: SlurmJob[None] = SlurmJob(tmp_path / "%j", "12_3", range(max(1, len(logs))))
        for number, log in enumerate(logs):
            job.task(number).paths.folder.mkdir(exist_ok=True)
            job.task(number).paths.stdout.write_text(log)
        return slurm_outcome(job, state, tmp_path / "run", "seed=1")

    return tell


@pytest.mark.parametrize(
    ("state", "code", "logs", "result", "line"),
    [
        ("FAILED", 2, ["babelscope: [seed=1] Expected x; mend it.\nsrun: error"], 2, "Expected x; mend it."),
        ("FAILED", 1, ["babelscope: unexpected KeyError; please report"], 1, "unexpected KeyError; please report: /"),
        ("FAILED", 2, ["babelscope: rank 0 lost others\n", "babelscope: [seed=1] Expected y."], 2, "Expected y."),
        ("FAILED", 1, ["Traceback"], -15, "but it is failed (exit 1); see its log: the same command runs it again"),
        ("FAILED", 137, [], -9, "but it was killed; if it was for its memory, ask for more by hydra.launcher.mem_gb"),
        ("FAILED", 137, [f"babelscope: told to end\n{REQUEUED}\n"], -9, "but it was killed"),
        ("OUT_OF_MEMORY", 0, [], -9, "but it ran out of memory"),
        ("CANCELLED", 0, ["error: Detected 1 oom_kill event"], -9, "but it ran out of memory"),
        ("CANCELLED", 0, ["babelscope: told to end by SIGTERM"], -15, "but it was cancelled"),
        ("TIMEOUT", 0, [], -15, "but it reached its time limit; raise hydra.launcher.timeout_min"),
        ("NODE_FAIL", 0, [], -15, "but it is node fail; see its log"),
        ("FORGOTTEN", 0, [], -15, "but it is forgotten; see its log"),
    ],
)
def test_what_went_wrong_is_said_in_one_line(end, state, code, logs, result, line):
    got, said = end(state, code, *logs)
    assert got == result
    assert line in said
    assert "\n" not in said
    assert result == 2 or "12_3" in said


def test_a_job_is_done_if_slurm_or_the_ledger_says_so(end, tmp_path):
    assert end("COMPLETED") == (0, "")
    nothing = {"exit": 0, "error": "", "slurm": "15", "log": None, "folder": "", "config_dir": None}
    times = {"start": "2026-01-01T00:00:00+00:00", "end": "2026-01-01T00:00:00+00:00"}
    of = {
        "verb": "train",
        "overrides": [],
        "config": "",
        "host": "",
        "pid": 1,
        "born": "",
        "sweep": True,
        "attempts": 1,
    }
    write_entry(tmp_path / "run", Entry(state="done", **nothing, **times, **of))
    assert end("FORGOTTEN") == (0, "")

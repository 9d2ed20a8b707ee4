"""How a job in Slurm ended: by what it wrote, or else by what Slurm says."""

import re
from pathlib import Path
from signal import SIGKILL, SIGTERM

from submitit import SlurmJob

from babelscope.sweeps import slurm_queue
from babelscope.sweeps.complaints import last_complaint
from babelscope.sweeps.ledger import path_of, read_entry
from babelscope.sweeps.slurm_signals import REQUEUED

AGAIN = "the same command runs it again, from its last checkpoint"
MORE = "ask for more by hydra.launcher.mem_gb"
MEMORY = re.compile(r"out of memory|oom[-_ ]kill|exceeded (job )?memory limit", re.IGNORECASE)


def slurm_outcome(job: SlurmJob[None], state: str, folder: Path, name: str) -> tuple[int, str]:
    """Tell the exit code of a job that has left the queue, negative for the signal that ended it, and what went wrong.

    Args:
        job: submitit's.
        state: What Slurm says of it.
        folder: Of its run.
        name: Of the job, by which it may begin its own lines.

    Raises:
        ConnectionError: if the controller does not answer.
    """
    if state == "COMPLETED" or _is_done(folder):
        return 0, ""
    code = slurm_queue.exit_code(job.job_id)
    logs = [job.task(number).paths.stdout for number in range(job.num_tasks)]
    said, log = last_complaint("\n".join(map(_read, logs)), name), logs[0]
    if state not in slurm_queue.ENDED_BY_SLURM and said:
        return (1, f"{said}: {log}") if code == 1 else (2, said)
    signal, what, remedy = _by_state(state, code, log)
    return -signal, f"Expected Slurm job {job.job_id} to end by itself, but it {what}; {remedy}; log: {log}"


def _is_done(folder: Path) -> bool:
    try:
        return read_entry(path_of(folder)).state == "done"
    except (OSError, ValueError):
        return False


def _read(log: Path) -> str:
    """Read what one process of a job has printed since it was requeued."""
    return log.read_text(errors="replace").rpartition(REQUEUED)[2] if log.exists() else ""


def _by_state(state: str, code: int, log: Path) -> tuple[int, str, str]:
    if state == "OUT_OF_MEMORY" or (log.exists() and MEMORY.search(log.read_text(errors="replace"))):
        return SIGKILL, "ran out of memory", f"{MORE}, or lower task.batch_size: {AGAIN}"
    if state == "TIMEOUT":
        return SIGTERM, "reached its time limit", f"raise hydra.launcher.timeout_min: {AGAIN}"
    if state == "CANCELLED":
        return SIGTERM, "was cancelled", AGAIN
    if code == 128 + SIGKILL:
        return SIGKILL, "was killed", f"if it was for its memory, {MORE}: {AGAIN}"
    exited = f" (exit {code})" if code else ""
    return SIGTERM, f"is {state.lower().replace('_', ' ')}{exited}", f"see its log: {AGAIN}"

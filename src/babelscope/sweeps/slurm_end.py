"""How a job in Slurm came to its end: by what it wrote, or else by what Slurm says."""

import re
from collections.abc import Sequence
from pathlib import Path
from signal import SIGKILL, SIGTERM

from submitit import SlurmJob

from babelscope.sweeps import slurm_queue
from babelscope.sweeps.ledger import path_of, read_entry
from babelscope.sweeps.slurm_signals import REQUEUED

AGAIN = "the same command runs it again, from its last checkpoint"
MORE = "ask for more by hydra.launcher.mem_gb"
PREFIX = "babelscope: "
MEMORY = re.compile(r"out of memory|oom[-_ ]kill|exceeded (job )?memory limit", re.IGNORECASE)


def end_of(job: SlurmJob[None], state: str, folder: Path, name: str) -> tuple[int, str]:
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
    said, log = _said(logs).removeprefix(f"[{name}] "), logs[0]
    if state not in slurm_queue.ENDED_BY_SLURM and said:
        return (1, f"{said}: {log}") if code == 1 else (2, said)
    signal, what, remedy = _by_state(state, code, log)
    return -signal, f"Expected Slurm job {job.job_id} to end by itself, but it {what}; {remedy}; log: {log}"


def _is_done(folder: Path) -> bool:
    try:
        return read_entry(path_of(folder)).state == "done"
    except (OSError, ValueError):
        return False


def _said(logs: Sequence[Path]) -> str:
    """Find what a job said last of what went wrong, in any of its processes, since it was requeued."""
    texts = [log.read_text(errors="replace").rpartition(REQUEUED)[2] for log in logs if log.exists()]
    lines = [line for text in texts for line in text.splitlines() if line.startswith(PREFIX)]
    return lines[-1].removeprefix(PREFIX) if lines else ""


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

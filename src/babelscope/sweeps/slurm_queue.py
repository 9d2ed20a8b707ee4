"""What Slurm says of its partitions and jobs: by its controller alone, for many clusters keep no accounts."""

import re
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

COMMANDS = ("sbatch", "srun", "squeue", "sinfo", "scontrol")
EARLY_S = 60
"""How much too early Slurm may send a signal; see sbatch --signal."""
ENDED_BY_SLURM = ("CANCELLED", "DEADLINE", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED", "TIMEOUT")
FORGOTTEN = "FORGOTTEN"
"""Of a job that the controller does not know, or not any more."""
OVER = (*ENDED_BY_SLURM, "BOOT_FAIL", "COMPLETED", "FAILED", "REVOKED", FORGOTTEN)
"""States that a job does not leave: one that is preempted and comes back is PENDING."""


def check(settings: Mapping[str, Any]) -> None:
    """Refuse what Slurm would refuse, or would let wait for ever.

    Args:
        settings: As in `conf/hydra/launcher/slurm.yaml`, each of the kind that its key wants.

    Raises:
        ValueError: if Slurm is not here, or would not run such jobs.
        ConnectionError: if the controller does not answer.
    """
    if missing := [command for command in COMMANDS if shutil.which(command) is None]:
        raise ValueError(
            f"Expected Slurm's `{missing[0]}` on PATH for this launcher, but it is not there; start the sweep where "
            "sbatch works, or choose hydra/launcher=workers."
        )
    minutes = settings["timeout_min"]
    delay = settings["signal_delay_s"]
    if settings["max_num_timeout"] and minutes * 60 < 2 * delay + EARLY_S:
        raise ValueError(
            f"Expected `hydra.launcher.timeout_min` to leave a requeued job as long to work as the {delay} s of "
            f"`hydra.launcher.signal_delay_s` in which it saves, but got {minutes} minutes, and Slurm may signal "
            f"{EARLY_S} s early; raise it, lower the delay, or write hydra.launcher.max_num_timeout=0 to requeue none."
        )
    _check_partitions(settings["partition"], minutes)


def check_cpus(settings: Mapping[str, Any]) -> None:
    """Refuse more CPUs than any node has that jobs may go to, for which Slurm would let them wait for ever.

    Args:
        settings: As of `check`, which comes first.

    Raises:
        ValueError: if no node has so many.
        ConnectionError: if the controller does not answer.
    """
    lines = _ask("sinfo", "--noheader", "--exact", "--format=%P|%c").splitlines()
    nodes = [(name, int(cpus.rstrip("+"))) for name, _, cpus in (line.partition("|") for line in lines)]
    chosen, own = settings["partition"], [name.removesuffix("*") for name, _ in nodes if name.endswith("*")]
    partitions = dict.fromkeys(chosen.split(",") if chosen else own)
    most = max((cpus for name, cpus in nodes if name.removesuffix("*") in partitions), default=None)
    per_task, tasks = settings["cpus_per_task"], settings["tasks_per_node"]
    if most is not None and per_task * tasks > most:
        each = f" for each of {tasks} tasks per node" if tasks > 1 else ""
        raise ValueError(
            f"Expected `hydra.launcher.cpus_per_task` to be at most the {most} CPUs of a node of partition "
            f"{', '.join(partitions)}, but got {per_task}{each}; lower it, or choose another partition."
        )


def _check_partitions(chosen: str | None, minutes: int) -> None:
    lines = _ask("sinfo", "--noheader", "--format=%P|%l").splitlines()
    limits = {name.removesuffix("*"): limit for name, _, limit in (line.partition("|") for line in lines)}
    own = [line.partition("*")[0] for line in lines if "*" in line]
    for name in chosen.split(",") if chosen else own:
        if name not in limits:
            raise ValueError(
                f"Expected `hydra.launcher.partition` to be one of {', '.join(sorted(limits))}, but got {name!r}; "
                "choose one of these; null is the cluster's own choice."
            )
        most = _minutes(limits[name])
        if most is not None and minutes > most:
            raise ValueError(
                f"Expected `hydra.launcher.timeout_min` to be at most the {most} minutes of partition {name!r}, but "
                f"got {minutes}; lower it: jobs that need longer are requeued and go on where they were stopped."
            )


def states(ids: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Ask for the state of jobs, and why those wait that do.

    Raises:
        ConnectionError: if the controller does not answer.
    """
    asked = [*ids]
    bases = ",".join(sorted({job.partition("_")[0] for job in asked}))
    command = ("squeue", "--noheader", "--array", "--states=all", "--format=%i|%T|%r", f"--jobs={bases}")
    lines = (line.split("|", 2) for line in _ask(*command, unless="Invalid job id").splitlines())
    known = {job: (state, reason) for job, state, reason in lines}
    return {job: known.get(job, (FORGOTTEN, "")) for job in asked}


def queued() -> dict[str, str] | None:
    """Tell the state of every job in the queue, by either of its numbers (12_3 in an array, and one of its own).

    Returns:
        None where there is no Slurm, or none that answers.
    """
    if shutil.which("squeue") is None:
        return None
    try:
        lines = _ask("squeue", "--noheader", "--array", "--format=%A|%i|%T").splitlines()
    except ConnectionError:
        return None
    jobs = (line.split("|") for line in lines)
    return {number: state for own, shown, state in jobs for number in (own, shown)}


def settled_states(ids: Iterable[str], *, poll_s: float, patience_s: float) -> dict[str, tuple[str, str]]:
    """Ask as `states` does, once no job is on its way out any more: such a one is over soon, or back in the queue.

    Args:
        ids: Numbers of jobs.
        poll_s: Seconds between two looks.
        patience_s: Seconds after which a job that does not get out of its node is taken for one that runs.
    """
    asked, end = [*ids], time.monotonic() + patience_s
    while True:
        found = states(asked) if asked else {}
        if all(state != "COMPLETING" for state, _ in found.values()) or time.monotonic() > end:
            return found
        time.sleep(poll_s)


def summary(now: Iterable[tuple[str, str]]) -> str:
    """Count jobs that are not over by state, and say why those wait that do."""
    left = [(state, reason) for state, reason in now if state not in OVER]
    counts = Counter(f"{state.lower()} ({reason})" if state == "PENDING" else state.lower() for state, reason in left)
    return ", ".join(f"{n} {what}" for what, n in sorted(counts.items()))


def is_preempted(job: str) -> bool:
    """Whether a job still runs in the grace time that Slurm gives to one that it preempts."""
    said = _show(job)
    return said.get("JobState") == "RUNNING" and said.get("PreemptTime", "None") != "None"


def exit_code(job: str) -> int:
    """Ask for the exit code of a job that has ended, as a shell would give it; 0 where Slurm has none."""
    code, _, number = _show(job).get("ExitCode", "0:0").partition(":")
    return int(code) or (128 + int(number) if int(number) else 0)


def requeue(job: str) -> None:
    """Put a running job back in the queue; Slurm ends its processes."""
    _ask("scontrol", "requeue", job)


def _show(job: str) -> dict[str, str]:
    said = _ask("scontrol", "--oneliner", "show", "job", job, unless="Invalid job id")
    return dict(re.findall(r"(\w+)=(\S+)", said))


def _ask(*command: str, unless: str | None = None) -> str:
    """Run one of Slurm's commands; one that fails as foreseen says nothing."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    except subprocess.TimeoutExpired as error:
        raise ConnectionError(_silent(command[0], "no answer within 60 s")) from error
    if done.returncode and not (unless and unless in done.stderr):
        raise ConnectionError(_silent(command[0], (done.stderr.strip().splitlines() or ["nothing"])[-1]))
    return "" if done.returncode else done.stdout


def _silent(command: str, said: str) -> str:
    return (
        f"Expected Slurm's controller to answer `{command}`, but got: {said}; when it is back, run the same command "
        "again: jobs that are in the queue by then are waited for, not submitted anew."
    )


def _minutes(limit: str) -> int | None:
    """Read a time limit as Slurm writes it, [DAYS-][[HOURS:]MINUTES:]SECONDS; None where there is none."""
    if limit in ("infinite", "n/a"):
        return None
    days, _, clock = limit.rpartition("-")
    seconds = 0
    for part in clock.split(":"):
        seconds = 60 * seconds + int(part)
    return int(days or 0) * 24 * 60 + seconds // 60

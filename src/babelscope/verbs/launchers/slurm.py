"""Sweeps on Slurm: submitit submits every job, and the command waits until all have ended."""

import sys
import time
from collections.abc import Sequence
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf
from submitit import AutoExecutor, SlurmJob
from submitit.core.utils import FailedJobError, FailedSubmissionError

from babelscope.sweeps import slurm_queue, submitted
from babelscope.sweeps.slurm_end import slurm_outcome
from babelscope.sweeps.slurm_job import SlurmCommand
from babelscope.verbs.launchers.ends import JobResult, exit_if_failed, print_end
from babelscope.verbs.launchers.planned import PlannedJob, command_of, entry_of, plan, print_skipped, refuse_held
from babelscope.verbs.launchers.slurm_settings import check_settings

GENERAL = (
    "name",
    "timeout_min",
    "nodes",
    "tasks_per_node",
    "cpus_per_task",
    "gpus_per_node",
    "mem_gb",
    "stderr_to_stdout",
)
"""Names that submitit knows without the prefix slurm_."""


class Slurm(Launcher):
    """Submit the jobs of a sweep as one array and wait for all of them.

    Jobs that are done are not submitted, and those of an earlier command that are still in the queue are waited for
    instead.

    Args:
        detach: Submit and leave; the same command without it waits.
        poll_s: Seconds between two looks at the queue.
        patience_s: Seconds for which the controller may be silent.
        submitit_folder: Where logs go; %j is the job.
        max_num_timeout: How often a job that reaches its time limit is requeued.
        resources: As of `submitit.AutoExecutor.update_parameters`.
    """

    config: DictConfig
    context: HydraContext

    def __init__(
        self,
        *,
        detach: bool,
        poll_s: float,
        patience_s: float,
        submitit_folder: str,
        max_num_timeout: int,
        **resources: Any,
    ):
        self.detach, self.poll_s, self.patience_s = detach, poll_s, patience_s
        self.logs, self.max_num_timeout = submitit_folder, max_num_timeout
        self.resources: Any = OmegaConf.to_container(OmegaConf.create(resources))

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keep what composes the jobs' configurations."""
        self.context, self.config = hydra_context, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Submit what is neither done nor in the queue, wait for all, and name every job that failed.

        Raises:
            ValueError: if Slurm would not take the jobs.
            ConnectionError: if the controller is silent for too long.
            SystemExit: if a job failed: with 2 if the user can mend all that did, else with 1.
        """
        own = {name: getattr(self, name) for name in ("detach", "max_num_timeout", "poll_s", "patience_s")}
        check_settings(self.resources, {**own, "submitit_folder": self.logs})
        slurm_queue.check({**self.resources, **own})
        jobs = plan(self.context, self.config, job_overrides)
        self._check_devices(jobs)
        slurm_queue.check_cpus(self.resources)
        print_skipped(jobs)
        left = [job for job in jobs if not job.is_done]
        queue = self._in_queue(left)
        new = [job for job in left if job.folder not in queue]
        refuse_held(new)
        queue |= self._submit(new)
        try:  # from here on an interrupt finds jobs in the queue
            if queue:
                logs = queue[left[0].folder].paths.stdout
                print(f"Jobs in Slurm: {len(queue)}, new ones: {len(new)}; logs beside {logs}", flush=True)
            if not self.detach:
                exit_if_failed(self._wait([(job, queue[job.folder]) for job in left]))
        except KeyboardInterrupt:
            print("The jobs stay in Slurm: repeat the command to wait for them, or end them by scancel", flush=True)
            raise
        return []

    def _check_devices(self, jobs: Sequence[PlannedJob]) -> None:
        """Refuse jobs whose processes Slurm would not start, for these start none themselves."""
        for job in jobs:
            trainer = job.cfg.get("trainer") or {}
            for key, ours in (("devices", "tasks_per_node"), ("num_nodes", "nodes")):
                asked = trainer.get(key, 1)
                if isinstance(asked, int) and asked > 0 and asked != self.resources[ours]:
                    raise ValueError(
                        f"Expected `hydra.launcher.{ours}` to be trainer.{key}={asked}, one process per device, but "
                        f"got {self.resources[ours]} for {job.name}; leave it out, and give other numbers of devices "
                        "by a command of their own."
                    )

    def _in_queue(self, jobs: Sequence[PlannedJob]) -> dict[Path, SlurmJob[None]]:
        """Find those that an earlier command submitted and Slurm has not ended."""
        known = {job.folder: found for job in jobs if (found := submitted.read_submission(job.folder))}
        numbers = (found.job for found in known.values())
        states = slurm_queue.settled_states(numbers, poll_s=self.poll_s, patience_s=self.patience_s)
        return {
            folder: self._job(found.job, found.logs)
            for folder, found in known.items()
            if states[found.job][0] not in slurm_queue.OVER
        }

    def _submit(self, jobs: Sequence[PlannedJob]) -> dict[Path, SlurmJob[None]]:
        if not jobs:
            return {}
        executor = AutoExecutor(self.logs, cluster="slurm", slurm_max_num_timeout=self.max_num_timeout)
        own = {key if key in GENERAL else f"slurm_{key}": value for key, value in self.resources.items()}
        heard = StringIO()
        try:
            executor.update_parameters(**own)
            with redirect_stderr(heard):
                made = executor.submit_array([SlurmCommand(command_of(job, self.config, None)) for job in jobs])
        except (AssertionError, FailedJobError, FailedSubmissionError) as error:
            said = heard.getvalue() or str(error)
            raise ValueError(
                f"Expected Slurm to take the jobs, but got: {' '.join(said.split())}; correct the resources, such as "
                "hydra.launcher.account, partition, constraint, mem_gb or gpus_per_node."
            ) from error
        print(heard.getvalue(), end="", file=sys.stderr, flush=True)  # what a cluster tells its users
        own_jobs = {job.folder: self._job(one.job_id, self.logs) for job, one in zip(jobs, made, strict=True)}
        for job in jobs:
            one = own_jobs[job.folder]
            entry = entry_of(job, self.config, one.job_id, one.paths.stdout)
            submitted.record_submission(job.folder, one.job_id, self.logs, entry)
        return own_jobs

    def _job(self, number: str, logs: str) -> SlurmJob[None]:
        return SlurmJob(logs, number, range(self.resources["nodes"] * self.resources["tasks_per_node"]))

    def _wait(self, jobs: Sequence[tuple[PlannedJob, SlurmJob[None]]]) -> list[JobResult]:
        """Wait until every job has left Slurm, and print how each ended."""
        waiting, results = [*jobs], list[JobResult]()
        heard, told = time.monotonic(), ""
        while waiting:
            try:
                states = slurm_queue.states(one.job_id for _, one in waiting)
                for job, one in waiting:
                    state, _ = states[one.job_id]
                    if state in slurm_queue.OVER:
                        code, line = slurm_outcome(one, state, job.folder, job.name)
                        results.append(JobResult(job, code, line))
                        print_end(results[-1], len(results), len(jobs))
                now, heard = slurm_queue.summary(states.values()), time.monotonic()
            except ConnectionError:
                if time.monotonic() - heard > self.patience_s:
                    raise
                now = f"the controller does not answer; waiting for it up to {self.patience_s} s"
            over = {result.job.folder for result in results}
            waiting = [(job, one) for job, one in waiting if job.folder not in over]
            if waiting:
                if now != told:
                    print(f"Slurm: {now}", flush=True)
                told = now
                time.sleep(self.poll_s)
        return results

"""A real Slurm of one node, where slurmd is installed, and sweeps of tiny fine-tunings on it."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest

from babelscope.report.table import read_run
from babelscope.sweeps.ledger import Entry, path_of, read_entry
from babelscope.sweeps.submitted import read_submission
from tests.models.tiny import save_checkpoint

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "local_slurm.sh"


def slurm_is_here() -> bool:
    return all(shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin") for name in ("slurmctld", "slurmd"))


def local_slurm(verb: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [str(SCRIPT), verb]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture(scope="session")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Environment of a cluster that runs during the tests, with four CPUs to give, whatever the machine has."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        pytest.skip("one cluster is enough: pytest tests/slurm, without -n")
    if not slurm_is_here():
        pytest.skip("slurmd is not installed (apt-get install slurm-wlm): nothing of Slurm is tested")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = min(free.getsockname()[1], 65000)
    folder = tmp_path_factory.mktemp("slurm")
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith(("SLURM_", "SUBMITIT", "WANDB"))},
        "BABELSCOPE_CACHE": str(folder / "cache"),
        "BABELSCOPE_SLURM": str(folder / "cluster"),
        "BABELSCOPE_SLURM_CPUS": "4",
        "BABELSCOPE_SLURM_PORT": str(port),
        "CUDA_VISIBLE_DEVICES": "",
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}",
        "SLURM_CONF": str(folder / "cluster" / "slurm.conf"),
    }
    started = local_slurm("start", environment)
    assert started.returncode == 0, started.stderr
    yield environment
    assert local_slurm("stop", environment).returncode == 0
    assert not (folder / "cluster").exists()


@pytest.fixture(scope="session")
def training(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """A fine-tuning of 2 epochs of 40 steps, which takes a second, once it has started."""
    checkpoint = save_checkpoint(tmp_path_factory.mktemp("tiny") / "tiny", "xlm-roberta", depth=2)
    return (
        *(f"model.checkpoint={checkpoint}", "languages.codes=[eng_Latn,deu_Latn,rus_Cyrl,zho_Hans,arb_Arab]"),
        *("sentences=12", "+corpus.train=160", "task.batch_size=4", "threads=1", "metrics=ilo", "logger=none"),
        *("trainer=smoke", "trainer.max_epochs=2", "trainer.limit_train_batches=1.0", "page=false"),
        *("callbacks=[layer_scores,task_scores,checkpoint]",),
        "+callbacks.doing={_target_:tests.slurm.doing.Doing,_partial_:true,what:wait}",
    )


@pytest.fixture
def sweep(slurm, training, tmp_path):
    """Start a sweep; what still runs at the end of a test is ended."""
    started: list[subprocess.Popen[str]] = []
    resources = ("poll_s=0.3", "cpus_per_task=1", "mem_gb=1.5", "timeout_min=60")
    fixed = (*training, "hydra/launcher=slurm", *(f"hydra.launcher.{resource}" for resource in resources))

    def start(*overrides: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "babelscope", "train", "-m", *fixed, *overrides]
        pipe = subprocess.PIPE
        started.append(subprocess.Popen(command, cwd=tmp_path, env=slurm, stdout=pipe, stderr=pipe, text=True))
        return started[-1]

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()
    ask(slurm, "scancel", "--user", str(os.getuid()))


def ended(process: subprocess.Popen[str]) -> tuple[int, str, list[str]]:
    """Exit code, what it printed, and the lines of what went wrong."""
    out, err = process.communicate(timeout=180)
    return process.returncode, out, [line for line in err.splitlines() if line.startswith("babelscope: ")]


def ask(slurm: dict[str, str], *command: str) -> str:
    return subprocess.run(command, env=slurm, capture_output=True, text=True, check=True).stdout


def number_of(run: Path) -> str:
    """The number of the job that was submitted for a run folder."""
    found = read_submission(run)
    assert found is not None
    return found.job


def entry_of(run: Path) -> Entry:
    return read_entry(path_of(run))


def rows(run: Path) -> pd.DataFrame:
    found = read_run(run).rows.drop(columns="run")
    return found.sort_values([name for name in found.columns if name != "value"]).reset_index(drop=True)


def until(true: Callable[[], object], *, seconds: float = 90) -> None:
    """Wait for what has to come."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.1)


def until_step(run: Path, step: int) -> None:
    """Wait for a job to come to a step, or, when it was requeued, to go on from there."""
    file = run / "steps"
    until(lambda: file.exists() and int(file.read_text() or 0) >= step)


def hurry(slurm: dict[str, str], job: str, *settings: str) -> None:
    """Slurm lets a requeued job wait for two minutes."""
    until(lambda: "BeginTime" in ask(slurm, "squeue", "--noheader", "--array", "--format=%i|%T|%r", "--jobs", job))
    ask(slurm, "scontrol", "update", f"JobId={job}", *settings, "StartTime=now")

"""What all tests share."""

import gc
import signal
from pathlib import Path

import pytest

OUTSIDE = ["HYDRA_FULL_ERROR", "SIB200", "FLORES"]
OUTSIDE += ["RANK", "LOCAL_RANK", "WORLD_SIZE", "SLURM_PROCID", "SLURM_NTASKS", "SLURM_JOB_ID", "SUBMITIT_EXECUTOR"]

# The collector would pass over all that is imported again and again, a tenth of the time of all tests.
gc.set_threshold(100_000, 20, 100)


def pytest_collection_finish() -> None:
    """Let it never look at that again."""
    gc.collect()
    gc.freeze()


# Started in the background by a shell, tests would ignore Ctrl-C, and so would the processes that they send it to.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder that is not the repository, with a cache of its own and nothing from outside."""
    folder = tmp_path / "somewhere"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("BABELSCOPE_CACHE", str(tmp_path / "cache"))
    for name in OUTSIDE:
        monkeypatch.delenv(name, raising=False)
    return folder

"""The process from which those of trainings are forked."""

from collections.abc import Iterator
from multiprocessing import forkserver

import pytest

from tests.training.forked import PROCESSES


@pytest.fixture(scope="module")
def server() -> Iterator[None]:
    """Processes begin with what is imported and set there, those of other tests with something else."""
    forkserver._forkserver._stop()  # type: ignore[attr-defined]
    PROCESSES.set_forkserver_preload(["tests.training.ended", "tests.training.two_processes"])
    yield
    forkserver._forkserver._stop()  # type: ignore[attr-defined]

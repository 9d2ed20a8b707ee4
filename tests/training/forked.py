"""Processes of trainings, forked from one that has imported what they need, which takes longer than they do."""

import multiprocessing
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

PROCESSES = multiprocessing.get_context("forkserver")


def say_into(file: Path) -> None:
    """Let this process print its errors into a file."""
    os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)


def in_two_ranks(folder: Path, train: Callable[..., object], *arguments: Any) -> None:
    """Train in two processes, as those that Slurm or torchrun starts, and see that both end well.

    Args:
        folder: Receives the errors of each.
        train: Gets the arguments; its rank is in LOCAL_RANK.
        arguments: What can be pickled.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    said = [folder / f"said-{rank}" for rank in range(2)]
    processes = [
        PROCESSES.Process(target=_in_rank, args=(rank, port, file, train, arguments)) for rank, file in enumerate(said)
    ]
    for process in processes:
        process.start()
    try:
        for process, file in zip(processes, said, strict=True):
            process.join(180)
            assert process.exitcode == 0, file.read_text()[-3000:]
    finally:
        for process in processes:  # one may wait for the other for ever
            process.kill()


def _in_rank(rank: int, port: int, said: Path, train: Callable[..., object], arguments: tuple[Any, ...]) -> None:
    say_into(said)
    torch.set_num_threads(1)
    meeting = {"LOCAL_RANK": rank, "WORLD_SIZE": 2, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    os.environ.update({name: str(value) for name, value in meeting.items()}, CUDA_VISIBLE_DEVICES="")
    train(*arguments)

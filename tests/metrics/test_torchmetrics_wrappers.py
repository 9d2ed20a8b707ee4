from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from babelscope.metrics import ilo, separability
from babelscope.metrics.torchmetrics_wrappers import ILO, Separability
from tests.metrics.planted import plant


def test_batches_and_repeats_give_the_functions_mean():
    sample = plant(4, 30, 8, offset=0.5, noise=0.5)
    order = torch.randperm(120, generator=torch.Generator().manual_seed(0))
    for shell, function, key in ((ILO(), ilo, "ilo"), (Separability(), separability, "separability")):
        for batch in [*order.split(50), order[:7]]:
            shell.update(sample.x[batch], sample.language[batch], sample.sentence[batch])
        expected = function(sample)
        assert torch.equal(shell.compute(), expected[key].mean())
        assert torch.equal(shell.results[key], expected[key])
        shell.reset()
        assert shell.x == []


def worker(rank, folder, idle):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    sample = plant(4, 30, 8, offset=0.5, noise=0.5)
    shell = ILO()
    # uneven and overlapping shares, or none at all for the second process
    share = torch.arange(120) if idle else (torch.arange(0, 80), torch.arange(70, 120))[rank]
    if not (idle and rank):
        for batch in share.split(32):
            shell.update(sample.x[batch], sample.language[batch], sample.sentence[batch])
    torch.save(shell.compute(), f"{folder}/{rank}.pt")
    dist.destroy_process_group()


@pytest.mark.parametrize("idle", [False, True], ids=["uneven shares", "second process without a batch"])
def test_two_processes_agree_with_one(tmp_path, monkeypatch, idle):
    folder = tmp_path
    monkeypatch.syspath_prepend(Path(__file__).parents[2])  # spawned processes take over this path to find `worker`
    mp.spawn(worker, (str(folder), idle), nprocs=2)
    expected = ilo(plant(4, 30, 8, offset=0.5, noise=0.5))["ilo"].mean()
    for rank in range(2):
        assert torch.equal(torch.load(folder / f"{rank}.pt"), expected)

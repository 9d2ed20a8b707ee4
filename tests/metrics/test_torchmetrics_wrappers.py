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


@pytest.mark.parametrize(
    ("shape", "labels", "message"),
    [
        ((4, 3, 8), 4, r"shape \(B, D\) .* got \(4, 3, 8\), \(4,\) and \(4,\)"),
        ((8, 4), 4, r"got \(8, 4\), \(4,\) and \(4,\)"),
        ((4,), 4, r"got \(4,\), \(4,\) and \(4,\)"),
        ((4, 9), 4, "to have 8 columns as before, but got 9"),
    ],
)
def test_what_is_no_state_for_each_sentence_is_refused(shape, labels, message):
    shell, number = ILO(), torch.arange(4)
    shell.update(torch.zeros(0, 8), number[:0], number[:0])
    shell.update(torch.ones(4, 8), number, number)
    with pytest.raises(ValueError, match=message):
        shell.update(torch.ones(shape), number[:labels], number[:labels])


def test_nothing_has_no_score():
    with pytest.warns(UserWarning, match="before the ``update``"), pytest.raises(ValueError, match="Expected points"):
        ILO().compute()


SHARES = {
    "uneven and overlapping": (torch.arange(80), torch.arange(70, 120)),
    "none for the second": (torch.arange(120), None),
}


def worker(rank, folder):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    sample, found = plant(4, 30, 8, offset=0.5, noise=0.5), {}
    for name, shares in SHARES.items():
        for shell in (ILO(), Separability()):
            for batch in () if shares[rank] is None else shares[rank].split(32):
                shell.update(sample.x[batch], sample.language[batch], sample.sentence[batch])
            found[name, type(shell).__name__] = shell.compute()
    torch.save(found, f"{folder}/{rank}.pt")
    dist.destroy_process_group()


def test_two_processes_agree_with_one(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[2])  # spawned processes take over this path to find `worker`
    mp.spawn(worker, (str(tmp_path),), nprocs=2)
    sample = plant(4, 30, 8, offset=0.5, noise=0.5)
    expected = {"ILO": ilo(sample)["ilo"].mean(), "Separability": separability(sample)["separability"].mean()}
    for rank in range(2):
        found = torch.load(tmp_path / f"{rank}.pt")
        assert found.keys() == {(name, kind) for name in SHARES for kind in expected}
        assert all(torch.equal(value, expected[kind]) for (_, kind), value in found.items())

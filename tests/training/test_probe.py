from types import SimpleNamespace

import pytest
import torch

from babelscope.report.table import read
from babelscope.training.probe import Probe
from tests.models.tiny import tiny_model, tiny_tokenizer
from tests.training.runs import METRICS, PROBED


def make(folder=None, **options):
    return Probe.of(PROBED, tiny_tokenizer(), METRICS, folder=folder, max_tokens=200, **options)


def test_shares_of_processes_add_up_to_the_whole_bit_by_bit():
    model, probe = tiny_model("llama"), make()
    whole = probe.embed(model)
    shares = [probe.embed(model, rank=rank, world=3) for rank in range(3)]
    for layer, x in whole.layers.items():
        assert torch.equal(sum(share.layers[layer] for share in shares), x)
        points = torch.stack([share.layers[layer].abs().sum(dim=1) > 0 for share in shares])
        assert (points.sum(dim=0) == 1).all()


def test_a_whole_is_put_together_in_place():
    probe, model = make(), tiny_model("llama")
    mine = probe.embed(model, rank=1, world=2)

    class Strategy:
        root_device = torch.device("cpu")

        @staticmethod
        def reduce(x, reduce_op):
            assert reduce_op == "sum"
            return 2 * x

    trainer = SimpleNamespace(world_size=2, global_rank=1, strategy=Strategy)
    for layer, x in probe.embed_together(trainer, model).layers.items():
        assert torch.equal(x, 2 * mine.layers[layer])


def test_a_step_measured_again_replaces_its_rows(tmp_path):
    model, probe = tiny_model("llama"), make(str(tmp_path), run="r")
    rows = probe.score(probe.embed(model), step=7, epoch=1)
    probe.score(probe.embed(model), step=7, epoch=1)
    assert len(read(tmp_path)) == len(rows)
    assert {(row["run"], row["step"], row["epoch"]) for row in rows} == {("r", 7, 1)}


def test_when_it_is_due():
    assert [epoch for epoch in range(1, 7) if make(every_n_epochs=3).due(epoch)] == [3, 6]
    with pytest.raises(ValueError, match=r"`every_n_epochs` to be at least 1, but got -1"):
        make(every_n_epochs=-1)

import pytest
import torch
from torch import nn
from transformers import BertModel, BertPreTrainedModel

from babelscope.models.freeze import freeze
from babelscope.models.parts import parts_of
from babelscope.models.policies import FreezePolicy
from babelscope.models.trainable import trainable_map
from tests.models.tiny import ALL_HEADS, tiny_model


@pytest.mark.parametrize(("model_type", "head"), ALL_HEADS)
def test_every_parameter_is_counted_once(model_type, head):
    model = tiny_model(model_type, head)
    found = trainable_map(parts_of(model)).total
    assert found.parameters == found.trainable == sum(p.numel() for p in model.parameters())


def test_rows_are_in_the_order_of_the_model():
    rows = trainable_map(parts_of(tiny_model("mt5", "classification"))).to_rows()
    assert [r["part"] for r in rows] == [
        "inputs",
        *(f"block {i}" for i in range(4)),
        "final_norm",
        "decoder",
        "head",
    ]
    assert set(rows[0]) == {"part", "parameters", "trainable", "share"}
    assert rows[0]["share"] == 1.0


def test_a_shared_tensor_is_counted_in_the_first_part():
    rows = {row.part: row for row in trainable_map(parts_of(tiny_model("bloom", "lm"))).rows}
    assert rows["lm_head"].parameters == 0
    assert rows["lm_head"].share == 0


def test_it_prints_as_a_table():
    lines = str(trainable_map(parts_of(tiny_model("llama")))).splitlines()
    assert lines[0].split() == ["part", "parameters", "trainable", "share"]
    assert lines[-1].split()[0] == "all"
    assert lines[-1].split()[-1] == "100.0%"


class Holds(BertPreTrainedModel):
    """A classifier of somebody's, whose weights are its own, around a backbone that has one of its own, too."""

    def __init__(self, config):
        super().__init__(config)
        self.bert = BertModel(config)
        self.queries = nn.Parameter(torch.ones(3, config.hidden_size))
        self.bert.encoder.gate = nn.Parameter(torch.ones(5))


def test_parameters_that_no_part_holds_are_counted_with_the_head_or_the_rest():
    model = Holds(tiny_model("bert").config)
    found = trainable_map(parts_of(model))
    rows = {row.part: row for row in found.rows}
    pooler = sum(p.numel() for p in model.bert.pooler.parameters())
    assert found.total.parameters == sum(p.numel() for p in model.parameters())
    assert rows["head"].parameters == model.queries.numel()
    assert rows["rest"].parameters == pooler + 5
    model.queries.requires_grad_(False)
    assert {row.part: row for row in trainable_map(parts_of(model)).rows}["head"].trainable == 0


def test_they_are_frozen_with_the_head():
    model = tiny_model("bert", "lm")
    model.temperature = nn.Parameter(torch.ones(()))
    found = freeze(parts_of(model), FreezePolicy(lm_head=True))
    assert not model.temperature.requires_grad
    assert {row.part: row for row in found.rows}["lm_head"].trainable == 0

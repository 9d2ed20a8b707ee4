from types import SimpleNamespace

import pytest
import torch

from babelscope.training.probe import Probe, ScoreCache
from tests.models.tiny import tiny_model, tiny_tokenizer
from tests.training.runs import METRICS, PROBED, size


def make(folder=None, **options):
    return Probe(PROBED, tiny_tokenizer(), METRICS, folder=folder, max_tokens=200, **options)


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


def test_rows_name_run_step_and_epoch():
    probe = make(run="r")
    rows = probe.measure(probe.embed(tiny_model("llama")), step=7, epoch=1)
    assert {(row["run"], row["step"], row["epoch"]) for row in rows} == {("r", 7, 1)}


def counting(measured):
    """A probe that writes down whenever it measures."""

    def size(sample):
        measured.append(sample)
        return METRICS["size"](sample)

    return Probe(PROBED, tiny_tokenizer(), {"size": size}, max_tokens=200)


def test_a_layer_that_has_not_changed_is_not_measured_again():
    model, measured = tiny_model("llama"), []
    probe = counting(measured)
    first = probe.measure(probe.embed(model), step=0, epoch=0)
    assert len(measured) == len({row["layer"] for row in first}) == 6
    again = probe.measure(probe.embed(model), step=3, epoch=1)
    assert again == [{**row, "step": 3, "epoch": 1} for row in first]
    assert len(measured) == 6
    with torch.no_grad():
        model.layers[2].mlp.down_proj.weight.mul_(1.5)
    found = probe.measure(probe.embed(model), step=5, epoch=2)
    assert len(measured) == 6 + 3  # the outputs of blocks 2 and 3, and the final norm
    assert found == counting([]).measure(probe.embed(model), step=5, epoch=2)
    assert found != [{**row, "step": 5, "epoch": 2} for row in first]


def test_after_step_0_all_is_measured_again():
    """A metric may compare with the states of step 0, which are others then."""
    measured, model = [], tiny_model("llama")
    probe = counting(measured)
    for _ in range(2):
        probe.measure(probe.embed(model), step=0, epoch=0)
    assert len(measured) == 12


def test_states_are_compared_bit_by_bit():
    cache, states, asked = ScoreCache(), torch.zeros(4, 2), []

    def compute(changed):
        asked.append("".join(changed))
        return [{"layer": layer, "value": len(asked)} for layer in changed]

    def values(**layers):
        return [(row["layer"], row["value"]) for row in cache.rows(layers, compute)]

    assert values(a=states, b=states) == values(a=states.clone(), b=states) == [("a", 1), ("b", 1)]
    assert values(a=states, b=-states) == [("a", 1), ("b", 3)]  # -0.0 is another number to some metrics
    cache.clear()
    assert values(a=states, b=-states) == [("a", 4), ("b", 4)]
    assert asked == ["ab", "", "b", "ab"]


def test_what_could_not_be_measured_is_asked_for_again():
    cache = ScoreCache()
    with pytest.raises(ZeroDivisionError):
        cache.rows({"a": torch.zeros(4, 2)}, lambda changed: 1 / 0)
    assert cache.rows({"a": torch.zeros(4, 2)}, lambda changed: [{"layer": "a"}]) == [{"layer": "a"}]


def test_metrics_have_names():
    with pytest.raises(ValueError, match="functions by name, but got list; write"):
        Probe(PROBED, tiny_tokenizer(), [size])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((["a", "b"], tiny_tokenizer()), "`corpus` to be a Corpus, but got list"),
        ((PROBED, None), "`tokenizer` to be the model's tokenizer, but got NoneType"),
        ((tiny_tokenizer(), PROBED), "`corpus` to be a Corpus, but got "),
    ],
)
def test_arguments_of_another_kind_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Probe(*arguments, METRICS)

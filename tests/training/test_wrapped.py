import pytest
import pytorch_lightning as pl
import torch
from torch import nn

from babelscope.training.wrapped import model_in
from tests.models.tiny import tiny_model


class Somebodys(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net, self.probe, self.rate = tiny_model("bloom"), nn.Linear(2, 2), 0.1


def test_the_model_is_found_by_its_attribute():
    module = Somebodys()
    assert model_in(module, "net") is module.net


@pytest.mark.parametrize("attribute", ["model", "rate"])
def test_another_attribute_is_refused_with_those_there_are(attribute):
    with pytest.raises(ValueError, match=rf"model of Somebodys, but got '{attribute}'; .*with a config: net\."):
        model_in(Somebodys(), attribute)


def test_a_model_inside_a_module_of_the_module_is_found_by_its_path():
    module = Somebodys()
    module.outer = nn.Module()
    module.outer.hf = tiny_model("bloom")
    assert model_in(module, "outer.hf") is module.outer.hf
    with pytest.raises(ValueError, match=r"but got 'outer\.net'; its submodules with a config: net, outer\.hf\."):
        model_in(module, "outer.net")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's own, of its modules
def test_a_compiled_model_is_read_as_the_one_inside():
    module = Somebodys()
    inside = module.net
    module.net = torch.compile(inside)  # which compiles when it is first called
    assert module.net is not inside
    assert model_in(module, "net") is inside

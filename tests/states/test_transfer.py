import pytest
import torch

from babelscope.states.transfer import Return, send


def test_on_a_cpu_nothing_is_copied():
    x = torch.randn(3, 2)
    assert send(x, torch.device("cpu")) is x
    assert Return(x).wait() is x


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_there_and_back():
    x = torch.randn(300, 20)
    there = send(x, torch.device("cuda"))
    back = Return(there * 2)
    assert torch.equal(back.wait(), x * 2)
    assert back.wait().device.type == "cpu"

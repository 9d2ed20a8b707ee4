import numpy as np
import pytest
import torch

from babelscope.states.layer_file import LayerFile, create


def test_rows_are_written_and_columns_read(tmp_path):
    x = torch.randn(7, 5, generator=torch.Generator().manual_seed(0))
    file = create(tmp_path / "layer.npy", (7, 5))
    assert not file.columns(0, 5).any()
    for index in ([6, 0, 3], [1, 2], [5, 4]):
        file.put(torch.tensor(index), x[index])
    again = LayerFile(tmp_path / "layer.npy")
    assert again.shape == (7, 5)
    assert torch.equal(again.columns(0, 5), x)
    assert torch.equal(again.columns(1, 3), x[:, 1:3])
    assert np.array_equal(np.load(tmp_path / "layer.npy"), x.numpy())


def test_a_file_cut_short_is_an_error(tmp_path):
    whole = create(tmp_path / "layer.npy", (7, 5))
    with (tmp_path / "layer.npy").open("r+b") as file:
        file.truncate(200)
    with pytest.raises(OSError, match=r"Expected \(7, 5\) numbers in .*layer\.npy, but it ends early"):
        whole.columns(0, 5)

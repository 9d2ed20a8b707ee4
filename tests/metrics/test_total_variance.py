"""The total variance is the one that docs/methods.md names."""

from pathlib import Path

import numpy as np
import pytest
import torch

from babelscope.metrics import isotropy
from babelscope.metrics.sample import LayerSample

METHODS = Path(__file__).parents[2] / "docs" / "methods.md"


def test_total_variance_is_divided_by_the_number_of_points_as_documented():
    x = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
    place = torch.arange(6)
    found = isotropy(LayerSample(x, place // 3, place % 3, ("eng_Latn", "deu_Latn")))["total_variance"]
    assert float(found) == pytest.approx(np.var(x.double().numpy(), axis=0, ddof=0).sum())
    said = METHODS.read_text(encoding="utf-8").partition("### 9.7")[2].partition("### 9.8")[0]
    assert "`ddof=0`" in said

from importlib.util import find_spec

import numpy as np
import pytest
import torch

from babelscope.analyses.tokens import projection as token_map
from babelscope.analyses.tokens.projection import map_tokens
from babelscope.analyses.tokens.study import least_tokens
from babelscope.analyses.tokens.token_rows import token_rows

TABLE = torch.randn(60, 7, generator=torch.Generator().manual_seed(0))
TOKENS = token_rows(TABLE, ["Latn"] * 30 + ["Thai"] * 30)


def test_the_map_is_the_first_two_principal_components():
    x = torch.nn.functional.normalize(TABLE, dim=1).numpy()
    _, values, _ = np.linalg.svd(x - x.mean(0), full_matrices=False)
    places = map_tokens(TOKENS, TOKENS.ids).numpy()
    assert np.sqrt((places**2).sum(0)) == pytest.approx(values[:2], rel=1e-4)
    assert torch.equal(map_tokens(TOKENS, TOKENS.ids), map_tokens(TOKENS, TOKENS.ids))


def test_umap_is_an_extra(monkeypatch):
    monkeypatch.setattr(token_map, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"pip install 'babelscope\[umap\]'"):
        map_tokens(TOKENS, TOKENS.ids, layout="umap")
    with pytest.raises(ValueError, match="pca or umap"):
        map_tokens(TOKENS, TOKENS.ids, layout="tsne")


@pytest.mark.skipif(find_spec("umap") is None, reason="umap-learn is an extra")
def test_umap_needs_some_tokens():
    with pytest.raises(ValueError, match="at least 5 tokens"):
        map_tokens(TOKENS, TOKENS.ids[:4], layout="umap")


def test_small_vocabularies_need_fewer_tokens_of_a_script():
    assert least_tokens(TOKENS, 10) == 10
    assert least_tokens(token_rows(torch.ones(7000, 2), ["Latn"] * 7000), 10) == 70
    assert least_tokens(token_rows(torch.ones(90000, 2), ["Latn"] * 90000), 10) == 500

"""Maps by UMAP: in one file, for it compiles itself in every process that draws one, which takes ten seconds."""

import json
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from babelscope.analyses.tokens.projection import map_tokens
from babelscope.analyses.tokens.token_rows import token_rows
from tests.models.tiny import save_checkpoint
from tests.verbs.command import babelscope

pytestmark = [
    pytest.mark.usefixtures("somewhere"),
    pytest.mark.skipif(find_spec("umap") is None, reason="umap-learn is an extra"),
]


def test_it_is_the_same_each_time():
    table = torch.randn(60, 7, generator=torch.Generator().manual_seed(0))
    tokens = token_rows(table, ["Latn"] * 30 + ["Thai"] * 30)
    places = map_tokens(tokens, tokens.ids, layout="umap", seed=1)
    assert places.shape == (60, 2)
    assert torch.equal(places, map_tokens(tokens, tokens.ids, layout="umap", seed=1))


def test_a_run_has_it(tmp_path):
    checkpoint = save_checkpoint(tmp_path / "bloom", "bloom")
    ended = babelscope("tokens", f"model.checkpoint={checkpoint}", "output=run", "probe=null", "k=[5]", "map=umap")
    assert (ended.code, ended.err) == (0, ""), ended.err
    explorer = json.loads(Path("run/explorer.json").read_text())
    assert explorer["layout"] == "umap"
    assert len(explorer["place"]) == len(explorer["tokens"])

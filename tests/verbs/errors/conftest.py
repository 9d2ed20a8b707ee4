"""Commands that would end within a second, if nothing were wrong with them."""

import pytest

from tests.models.tiny import save_checkpoint
from tests.verbs.command import FIVE


@pytest.fixture(scope="package")
def checkpoints(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoints")
    return {kind: save_checkpoint(folder / kind, kind) for kind in ("xlm-roberta", "mt5", "llama")}


@pytest.fixture
def small(checkpoints):
    """A probe that ends within a second."""
    return (f"model.checkpoint={checkpoints['xlm-roberta']}", f"languages.codes={FIVE}", "sentences=6", "metrics=ilo")

"""Pooled states of a checkpoint, embedded once for every verb that reads the same of the same text."""

from functools import partial
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from babelscope.models.load import Loaded
from babelscope.states import Pooled, Prepared, embed_once
from babelscope.states.pool import Pool
from babelscope.states.reading import STATES, Reading
from babelscope.verbs.terminal.console import track


def embed_stored(
    cfg: DictConfig, loaded: Loaded, prepared: Prepared, pool: Pool, weights: str, *, reading: Reading = STATES
) -> Pooled:
    """Embed the sentences, or find their states in the store.

    Args:
        cfg: Of the verb.
        loaded: The checkpoint.
        prepared: Sentences as its tokens.
        pool: As `cfg.pool` says.
        weights: Hash of the checkpoint.
        reading: What is read of every block.
    """
    pooling = OmegaConf.to_container(cfg.pool, resolve=True)
    key = {"weights": weights, "revision": cfg.model.revision, "dtype": cfg.model.dtype, "pool": pooling}
    store, progress = Path(cfg.store).expanduser(), partial(track, what="Embedding")
    return embed_once(store, key, loaded.parts, prepared, pool, reading=reading, progress=progress)

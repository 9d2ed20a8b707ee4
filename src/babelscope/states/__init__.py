"""States of a model: recorded, pooled and kept."""

from babelscope.states.embed import Pooled, Prepared, embed, prepare
from babelscope.states.record import record
from babelscope.states.store import embed_once

__all__ = ["Pooled", "Prepared", "embed", "embed_once", "prepare", "record"]

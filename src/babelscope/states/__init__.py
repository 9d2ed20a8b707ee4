"""States of a model: recorded, pooled and kept."""

from babelscope.states.embed import Pooled, Prepared, embed, prepare
from babelscope.states.firing import Firing, count_firing
from babelscope.states.neurons import record_neurons
from babelscope.states.reading import DOWN_INPUT, GATE, READINGS, STATES, Reading
from babelscope.states.record import record
from babelscope.states.slices import slices
from babelscope.states.store import embed_once

__all__ = [
    "DOWN_INPUT",
    "GATE",
    "READINGS",
    "STATES",
    "Firing",
    "Pooled",
    "Prepared",
    "Reading",
    "count_firing",
    "embed",
    "embed_once",
    "prepare",
    "record",
    "record_neurons",
    "slices",
]

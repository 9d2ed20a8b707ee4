"""What is read from a model while it runs: hidden states, or FFN neurons at one of two places."""

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial

from babelscope.models.parts import Parts
from babelscope.states.neurons import neuron_widths, record_neurons
from babelscope.states.record import Keep, record


@dataclass(frozen=True)
class Reading:
    """How layers are recorded, and how wide they are."""

    name: str
    record: Callable[[Parts, Keep], AbstractContextManager[None]]
    """Context manager that hooks the model and passes on every layer (B, T, D) of a forward pass made inside it."""
    widths: Callable[[Parts], dict[str, int]]
    """D of every layer, in order."""


def _state_widths(parts: Parts) -> dict[str, int]:
    return dict.fromkeys(parts.layers, parts.width)


STATES = Reading("states", record, _state_widths)
DOWN_INPUT = Reading("down_input", partial(record_neurons, place="down_input"), neuron_widths)
GATE = Reading("gate", partial(record_neurons, place="gate"), neuron_widths)
READINGS = {reading.name: reading for reading in (STATES, DOWN_INPUT, GATE)}


def states_of(layers: Collection[str]) -> Reading:
    """Read the hidden states of some layers only; the blocks above them do not run."""

    def widths(parts: Parts) -> dict[str, int]:
        return {layer: width for layer, width in _state_widths(parts).items() if layer in layers}

    return Reading(STATES.name, partial(record, only=layers), widths)

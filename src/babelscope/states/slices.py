"""Columns of a layer, a block at a time: what a score that is a sum over neurons needs at most."""

from collections.abc import Callable, Iterator, Mapping

from torch import Tensor

from babelscope.states.store import StoredLayers


def slices(layers: Mapping[str, Tensor], layer: str, *, elements: int = 2**24) -> Iterator[Tensor]:
    """Yield a layer (S, F) as column blocks (S, F_b) float32 of at most `elements` numbers each, left to right.

    Of a stored layer, no more than one block is in memory, however many sentences there are.

    Args:
        layers: In memory, or stored.
        layer: Which.
        elements: Most numbers of a block; it has one column at least.
    """
    read: Callable[[int, int], Tensor]
    if isinstance(layers, StoredLayers):
        file = layers.file(layer)
        (points, width), read = file.shape, file.columns
    else:
        whole = layers[layer]
        (points, width), read = whole.shape, lambda start, stop: whole[:, start:stop].float()
    columns = max(1, elements // max(1, points))
    for start in range(0, width, columns):
        yield read(start, min(start + columns, width))

"""Read a layer a block of columns at a time, which is enough for a score that is a sum over neurons."""

from collections.abc import Callable, Iterator, Mapping

from torch import Tensor

from babelscope.states.store import StoredLayers


def slices(layers: Mapping[str, Tensor], layer: str, *, elements: int = 2**24) -> Iterator[Tensor]:
    """Yield a layer (S, F) as column blocks (S, F_b) float32 of at most `elements` numbers each, left to right.

    For a stored layer, at most one block is in memory, however many sentences there are.

    Args:
        layers: Layers in memory, or stored.
        layer: Name of the layer to read.
        elements: Most numbers in a block; a block has at least one column.
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

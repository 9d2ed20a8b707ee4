"""Read a layer a block of columns at a time, which is enough for a score that is a sum over neurons."""

from collections.abc import Callable, Iterator, Mapping

from torch import Tensor

from babelscope.states.store import StoredLayers

MOST, LEAST = 2**24, 512
"""Numbers in a block, and columns of it where that would be fewer."""


def slices(layers: Mapping[str, Tensor], layer: str, *, elements: int | None = None) -> Iterator[Tensor]:
    """Yield a layer (S, F) as column blocks (S, F_b) float32 of at most `elements` numbers each, left to right.

    For a stored layer, at most one block is in memory. A disk reads 1,024 numbers at a time, so of very many sentences
    narrow blocks would have the whole layer read for each of them: by default a block has at least `LEAST` columns.

    Args:
        layers: Layers in memory, or stored.
        layer: Name of the layer to read.
        elements: Most numbers in a block; a block has at least one column. None is 2**24, or those of `LEAST` columns.
    """
    read: Callable[[int, int], Tensor]
    if isinstance(layers, StoredLayers):
        file = layers.file(layer)
        (points, width), read = file.shape, file.columns
    else:
        whole = layers[layer]
        (points, width), read = whole.shape, lambda start, stop: whole[:, start:stop].float()
    most = max(MOST, LEAST * points) if elements is None else elements
    columns = max(1, most // max(1, points))
    for start in range(0, width, columns):
        yield read(start, min(start + columns, width))

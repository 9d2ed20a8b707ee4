"""Pairs of points that may be neighbours, from blocks of one symmetric product; each pair of blocks is multiplied once.

A block of rows is multiplied with itself and all later points, in tiles. Minima over groups of columns and of rows
cost one pass over a tile in cache. The k-th smallest minimum bounds the distance of the k-th neighbour; with the error
of the product, it also bounds the key that a neighbour can have. Only groups with a key within the bound of a row, or
of a column, are examined. The order of the points is random, so the first blocks are a fair sample and bounds are tight
early.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from babelscope.metrics.precision import multiply
from babelscope.metrics.search.products import GROUP, KEYS, Coded


def is_closed(bound: Tensor) -> Tensor:
    """Return whether rows were given up because too many points are near: their bound is the type's minimum."""
    return bound == torch.iinfo(bound.dtype).min


@dataclass(frozen=True)
class Pairs:
    """Pairs within the bound of their row, in no order; columns are never the row itself, its kin or padding."""

    row: Tensor
    """(P,) int64 coded rows."""
    column: Tensor
    """(P,) int64 coded rows."""
    key: Tensor
    """(P,) integers that order as half squared distances do."""
    bound: Tensor
    """(M,) for each row: all others with at most this key are among the pairs; see `is_closed` for given-up rows."""


def near_pairs(coded: Coded, k: int, block: int, limit: int) -> Pairs:
    """Return, for every coded row, all others that may be among its k nearest; none at all if most rows have too many.

    Args:
        coded: M coded rows.
        k: Neighbours wanted.
        block: Rows of a block; columns of a tile are twice as many.
        limit: Most groups that a row may touch per block; it may have eight times as many pairs. A row that exceeds
            either is given up, and its pairs are left out.

    Returns:
        The pairs, with the bound up to which the pairs of each row are complete.
    """
    search = _Search(coded, k, block, limit)
    for start in range(0, len(coded.right), search.block):
        search.step(start)
        if int(is_closed(search.bound).sum()) > len(coded.right) // 2:
            search.bound.fill_(torch.iinfo(search.bound.dtype).min)
            break
    row, column, key = (torch.cat(parts) for parts in zip(*search.found, strict=True))
    count = len(coded.order)
    bound = search.bound[row]
    kept = ((key <= bound) & ~is_closed(bound) & (column < count) & (row < count)).nonzero().squeeze(1)
    return Pairs(row[kept].long(), column[kept].long(), key[kept], search.bound)


class _Search:
    """The state of one search from block to block."""

    def __init__(self, coded: Coded, k: int, block: int, limit: int) -> None:
        self.coded, self.k, self.limit = coded, k, limit
        self.block = max(1, block // GROUP) * GROUP
        kind, device, rows = KEYS[coded.right.dtype], coded.right.device, len(coded.right)
        self.most = int(torch.tensor(torch.inf, dtype=coded.right.dtype).view(kind))
        self.best = torch.full((rows, k), self.most, dtype=kind, device=device)
        self.bound = torch.full((rows,), self.most, dtype=kind, device=device)
        self.pairs = torch.zeros(rows, dtype=torch.int64, device=device)
        self.buffer = coded.right.new_empty(self.block * rows)
        # (groups, M) the lowest key of a later row to any of the groups that have met since bounds were tightened
        self.lowest = torch.full((self.block // GROUP, rows), self.most, dtype=kind, device=device)
        self.found: list[tuple[Tensor, Tensor, Tensor]] = []

    def step(self, start: int) -> None:
        stop = min(start + self.block, len(self.coded.right))
        tiles = self._multiply(start, stop)
        height = stop - start
        across = [keys.view(height, GROUP, -1).amin(1) for _, keys in tiles]
        down = [keys.view(-1, GROUP, keys.shape[1]).amin(1) for _, keys in tiles]
        own, later = slice(start, stop), slice(stop, None)
        self._tighten(own, torch.cat([*across, self.lowest[:, own].T], dim=1))
        for (first, _), low in zip(tiles, down, strict=True):
            place = self.lowest[: len(low), first : first + low.shape[1]]
            torch.minimum(place, low, out=place)
        number = start // self.block
        if number & (number + 1) == 0:  # blocks 0, 1, 3, 7, ...: whenever the number seen has doubled
            self._tighten(later, self.lowest[:, later].T)
            self.lowest.fill_(self.most)
        inside = [low <= self.bound[own].unsqueeze(1) for low in across]
        self._close(own, sum((near.sum(1) for near in inside), self.pairs[own] * 0))
        for (first, keys), near, low in zip(tiles, inside, down, strict=True):
            self._rows(start, first, keys, near)
            self._columns(start, first, keys, low, skip=max(0, stop - first))
        self._close(slice(None), self.pairs // 8)

    def _multiply(self, start: int, stop: int) -> list[tuple[int, Tensor]]:
        """Return first column and keys of every tile from the diagonal on; a point is infinitely far from its kin."""
        left, kin = self.coded.left(start, stop), self.coded.kin
        tiles = []
        for first in range(start, len(self.coded.right), 2 * self.block):
            right = self.coded.right[first : first + 2 * self.block]
            place = self.buffer[(first - start) * len(left) :][: len(left) * len(right)].view(len(left), len(right))
            multiply(left, right, place)
            near = slice(first, min(first + place.shape[1], stop + self.coded.largest - 1))  # where kin may be
            if near.start < near.stop:
                own = kin[start:stop].unsqueeze(1) == kin[near]
                place[:, : near.stop - near.start].masked_fill_(own, torch.inf)
            tiles.append((first, place.view(self.best.dtype)))
        return tiles

    def _tighten(self, rows: slice, seen: Tensor) -> None:
        """Lower the bounds of rows, given keys (B, n) of n further distinct points."""
        if not seen.numel():
            return
        seen = seen.topk(min(self.k, seen.shape[1]), largest=False).values
        self.best[rows] = torch.cat([self.best[rows], seen], dim=1).topk(self.k, largest=False).values
        reach = self.coded.reach_within(rows, self.best[rows].amax(1))
        self.bound[rows] = torch.minimum(self.bound[rows], self.coded.key_within(rows, reach))

    def _close(self, rows: slice, count: Tensor) -> None:
        self.bound[rows].masked_fill_(count > self.limit, torch.iinfo(self.bound.dtype).min)

    def _rows(self, start: int, first: int, keys: Tensor, near: Tensor) -> None:
        """Keep the pairs of a tile's rows, given which groups of columns are near (rows, groups)."""
        row, group = near.nonzero(as_tuple=True)
        bound = self.bound[start : start + len(keys)][row]
        near_keys = keys.view(len(keys), GROUP, -1)[row, :, group]
        hit, place = (near_keys <= bound.unsqueeze(1)).nonzero(as_tuple=True)
        self._keep(row[hit] + start, group[hit] + place * near.shape[1] + first, near_keys[hit, place])

    def _columns(self, start: int, first: int, keys: Tensor, low: Tensor, skip: int) -> None:
        """Do as `_rows` for later points, whose rows are these columns; `skip` leaves out the block itself."""
        if skip >= keys.shape[1]:
            return
        later = slice(first + skip, first + keys.shape[1])
        group, column = (low[:, skip:] <= self.bound[later]).nonzero(as_tuple=True)
        self._close(later, torch.bincount(column, minlength=later.stop - later.start))
        bound = self.bound[later][column]
        near = keys.view(-1, GROUP, keys.shape[1])[group, :, column + skip]
        hit, place = (near <= bound.unsqueeze(1)).nonzero(as_tuple=True)
        self._keep(column[hit] + later.start, group[hit] * GROUP + place + start, near[hit, place])

    def _keep(self, row: Tensor, column: Tensor, key: Tensor) -> None:
        self.pairs += torch.bincount(row, minlength=len(self.pairs))
        self.found.append((row.int(), column.int(), key))

"""Two token tables: what their vocabularies share, and whether shared tokens lie alike (S1: figures 2, 7, 8)."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from babelscope.analyses.rows import Rows
from babelscope.analyses.tokens.angles import canonical_angles, first_cosine_null, mean_square_null
from babelscope.analyses.tokens.token_rows import TokenRows, tidy
from babelscope.metrics.search.table_neighbours import table_neighbours


@dataclass(frozen=True)
class NamedTable:
    """One model's tokens in use."""

    name: str
    tokens: TokenRows
    pieces: Sequence[str]
    """(V) canonical spelling of every token, word-boundary mark included, by which two vocabularies are matched."""


def shared_tokens(a: NamedTable, b: NamedTable) -> tuple[Tensor, Tensor]:
    """Return the rows of a and of b that spell one token, by ascending row of a; of doubles the lowest id counts.

    Raises:
        ValueError: if there is none.
    """
    left, right = _by_piece(a), _by_piece(b)
    pairs = [(row, right[piece]) for piece, row in left.items() if piece in right]
    if not pairs:
        raise ValueError(
            f"Expected tokens that {a.name} and {b.name} share, but got none among {len(left)} and {len(right)}; "
            f"compare models whose vocabularies meet"
        )
    rows = torch.tensor(pairs)
    return rows[:, 0], rows[:, 1]


@torch.no_grad()
def compare_tables(a: NamedTable, b: NamedTable, *, k: int = 100, sample: int | None = 2000, seed: int = 0) -> Rows:
    """Compare two tables on the tokens they share; angles are left out where those are no more than the columns.

    Neighbours are sought among shared tokens only, within each table, self excluded.

    Args:
        a: First model.
        b: Second model.
        k: Neighbours compared; lowered to the shared tokens less one.
        sample: Shared tokens whose neighbours are compared, drawn at random; None for all.
        seed: Of the draw.

    Returns:
        Rows with language = a's name, other = b's: shared_tokens, vocabulary_overlap (share of the first's tokens; also
        written the other way round), vocabulary_jaccard, neighbour_overlap@K and its null, and canonical angles both
        centred and uncentred: angle_cosine[_centred]/0001 and on (the spectrum), angle_first[_centred],
        angle_mean_square[_centred], angle_first_null, angle_mean_square_null. shared_script_share has
        language = script (a's label), other = "A|B".

    Raises:
        ValueError: if no token is shared, or only one, or k or sample is below 1.
    """
    if k < 1 or (sample is not None and sample < 1):
        raise ValueError(
            f"Expected arguments `k` and `sample` to be at least 1, but got {k} and {sample}; None samples all"
        )
    left, right = shared_tokens(a, b)
    shared = len(left)
    sizes = len(_by_piece(a)), len(_by_piece(b))
    pair = (a.name, b.name)
    rows = [
        tidy("shared_tokens", shared, *pair),
        tidy("vocabulary_overlap", shared / sizes[0], *pair),
        tidy("vocabulary_overlap", shared / sizes[1], *reversed(pair)),
        tidy("vocabulary_jaccard", shared / (sum(sizes) - shared), *pair),
    ]
    tally = torch.bincount(a.tokens.codes[left], minlength=len(a.tokens.scripts))
    rows += [
        tidy("shared_script_share", count / shared, script, "|".join(pair))
        for script, count in zip(a.tokens.scripts, tally.tolist(), strict=True)
    ]
    near = min(k, shared - 1)
    if near < 1:
        raise ValueError(
            f"Expected at least two tokens that {a.name} and {b.name} share, but got {shared}; take other models"
        )
    order = torch.randperm(shared, generator=torch.Generator().manual_seed(seed))[:sample].sort().values
    rows += [
        tidy(f"neighbour_overlap@{near}", _neighbour_overlap(((a, left), (b, right)), order, near), *pair),
        tidy(f"neighbour_overlap_null@{near}", near / (shared - 1), *pair),
    ]
    widths = a.tokens.table.shape[1], b.tokens.table.shape[1]
    if shared <= max(widths):
        return rows
    for centred, end in ((False, ""), (True, "_centred")):
        cosines = canonical_angles(a.tokens.table, b.tokens.table, centred=centred, rows=(left, right))
        rows += [
            tidy(f"angle_cosine{end}/{number:04d}", value, *pair) for number, value in enumerate(cosines.tolist(), 1)
        ]
        rows += [
            tidy(f"angle_first{end}", float(cosines[0]), *pair),
            tidy(f"angle_mean_square{end}", float(cosines.square().mean()), *pair),
        ]
    return [
        *rows,
        tidy("angle_first_null", first_cosine_null(shared, *widths), *pair),
        tidy("angle_mean_square_null", mean_square_null(shared, *widths), *pair),
    ]


def _by_piece(model: NamedTable) -> dict[str, int]:
    """Row of every distinct piece in use, by ascending row."""
    rows_of: dict[str, int] = {}
    for row in model.tokens.ids.tolist():
        rows_of.setdefault(model.pieces[row], row)
    return rows_of


def _neighbour_overlap(sides: tuple[tuple[NamedTable, Tensor], ...], order: Tensor, k: int) -> float:
    """Mean share of a shared token's k neighbours in one table that are its neighbours in the other too."""
    neighbours = []
    for model, rows in sides:
        place = torch.full((len(model.tokens.labels),), -1)
        place[rows] = torch.arange(len(rows))
        stream = table_neighbours(model.tokens.table, rows[order], k, rows=rows)
        neighbours.append(torch.cat([place[near] for _, _, near in stream]).sort(dim=1).values)
    # In a row of both lists sorted together, what is in both stands beside itself.
    both = torch.cat(neighbours, dim=1).sort(dim=1).values
    return float((both[:, 1:] == both[:, :-1]).sum() / both.shape[0] / k)

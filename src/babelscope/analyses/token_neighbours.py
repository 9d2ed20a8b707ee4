"""How many scripts are among the nearest tokens of a token (S1, figures 5, 6 and 9)."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import lgamma
from typing import Any

import torch
from torch import Tensor

from babelscope.analyses.token_rows import TokenRows, tidy
from babelscope.metrics.table_neighbours import table_neighbours

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class TokenNeighbours:
    """The nearest tokens of n tokens."""

    ids: Tensor
    """(n,) int64 tokens."""
    distances: Tensor
    """(n, k) float32 1 - cosine, ascending."""
    neighbours: Tensor
    """(n, k) int32 tokens, self excluded."""


def draw_tokens(tokens: TokenRows, share: float = 0.01, *, seed: int = 0) -> Tensor:
    """Draw a share of the tokens in use, at least one, without replacement; sorted by id.

    Raises:
        ValueError: If the share is not above 0 and at most 1.
    """
    if not 0 < share <= 1:
        raise ValueError(f"Expected argument `share` to be above 0 and at most 1, but got {share}; 0.01 is S1's")
    count = max(1, round(share * len(tokens.ids)))
    order = torch.randperm(len(tokens.ids), generator=torch.Generator().manual_seed(seed))
    return tokens.ids[order[:count]].sort().values


def find_neighbours(tokens: TokenRows, ids: Tensor, k: int = 100, *, batch: int = 512) -> TokenNeighbours:
    """Find the k nearest other tokens in use, exactly, by cosine.

    A long search can be cut into calls over parts of `ids`; `table_neighbours` is the stream beneath.

    Raises:
        ValueError: If k does not fit the tokens in use or an id is not among them.
    """
    parts = [
        (distances.float(), found.int())
        for _, distances, found in table_neighbours(tokens.table, ids, k, rows=tokens.ids, batch=batch)
    ]
    return TokenNeighbours(ids, torch.cat([part[0] for part in parts]), torch.cat([part[1] for part in parts]))


def count_scripts(
    tokens: TokenRows, found: TokenNeighbours, *, k: Sequence[int] = (50, 100), counts: Sequence[int] | None = None
) -> Rows:
    """Count the distinct scripts among the first k neighbours, beside what random neighbours give.

    Random neighbours are k of the other tokens in use, drawn without replacement: a script of m others among N is met
    with probability 1 - C(N - m, k) / C(N, k).

    Args:
        tokens: Tokens in use with their scripts.
        found: Neighbours of a sample of tokens.
        k: Numbers of neighbours, each at most those found.
        counts: Frequency of every token of the vocabulary, for scores by decile.

    Returns:
        Rows, for each k: neighbour_scripts@K (mean; per script and for all), neighbour_scripts_sd@K,
        neighbour_scripts_null@K (expected mean; per script and for all), neighbour_scripts_legacy@K (S1's code, which
        counts the token itself as a neighbour), neighbour_scripts_share@K (other = number of scripts),
        neighbour_share@K (language = the token's script, other = the neighbours'; share of neighbours),
        neighbour_scripts_decile@K (other = "1", rarest, to "10"); and neighbour_share_null (language, other).

    Raises:
        ValueError: If k is more than the neighbours found, or counts do not fit the vocabulary.
    """
    _check(tokens, found, k, counts)
    codes, names = tokens.codes, tokens.names
    sizes = torch.bincount(codes[tokens.ids], minlength=len(names))
    own = codes[found.ids]
    theirs = codes[found.neighbours.long()]
    present = own.unique().tolist()
    rows: Rows = []
    for some in dict.fromkeys(k):
        tally = torch.zeros(len(own), len(names)).scatter_add_(
            1, theirs[:, :some], torch.ones(len(own), some)
        )  # (n, C) neighbours of each script
        distinct = (tally > 0).sum(1).double()
        legacy = distinct + (tally.gather(1, own.unsqueeze(1)) == 0).squeeze(1)
        null = {code: expected_scripts(sizes, code, some) for code in present}
        means = {code: float(distinct[own == code].mean()) for code in present}
        rows += [tidy(f"neighbour_scripts@{some}", float(distinct.mean()))]
        rows += [tidy(f"neighbour_scripts@{some}", value, names[code]) for code, value in means.items()]
        rows += [tidy(f"neighbour_scripts_sd@{some}", float(distinct.std(correction=0)))]
        rows += [tidy(f"neighbour_scripts_null@{some}", sum(null[int(code)] for code in own) / len(own))]
        rows += [tidy(f"neighbour_scripts_null@{some}", value, names[code]) for code, value in null.items()]
        rows += [tidy(f"neighbour_scripts_legacy@{some}", float(legacy.mean()))]
        shares = torch.bincount(distinct.long()) / len(own)
        rows += [
            tidy(f"neighbour_scripts_share@{some}", share, other=str(number))
            for number, share in enumerate(shares.tolist())
            if number
        ]
        for code in present:
            mean = (tally[own == code].double().mean(0) / some).tolist()
            rows += [tidy(f"neighbour_share@{some}", share, names[code], names[c]) for c, share in enumerate(mean)]
        if counts is not None:
            rows += _deciles(tokens, found.ids, distinct, counts, some)
    for code in present:
        others = sizes - torch.nn.functional.one_hot(torch.tensor(code), len(names))
        shares = (others / others.sum()).double()
        rows += [tidy("neighbour_share_null", share, names[code], names[c]) for c, share in enumerate(shares.tolist())]
    return rows


def expected_scripts(sizes: Tensor, own: int, k: int) -> float:
    """Return how many scripts k random other tokens hold, for a token of script `own` among scripts of `sizes` (C,)."""
    others = sizes.tolist()
    others[own] -= 1
    total = sum(others)
    return sum(1 - _missed(total, size, k) for size in others if size)


def _missed(total: int, size: int, k: int) -> float:
    """C(total - size, k) / C(total, k)."""
    if k > total - size:
        return 0.0
    left = total - size
    return float(
        torch.tensor(
            lgamma(left + 1) - lgamma(left - k + 1) - lgamma(total + 1) + lgamma(total - k + 1), dtype=torch.float64
        ).exp()
    )


def _deciles(tokens: TokenRows, ids: Tensor, distinct: Tensor, counts: Sequence[int], k: int) -> Rows:
    """Mean number of scripts by decile of frequency among all tokens in use; ties go by id, as in a sorted list."""
    order = torch.tensor(counts)[tokens.ids].argsort(stable=True)
    decile = torch.empty(len(tokens.labels), dtype=torch.int64)
    decile[tokens.ids[order]] = torch.arange(len(order)) * 10 // len(order)
    mine = decile[ids]
    return [
        tidy(f"neighbour_scripts_decile@{k}", float(distinct[mine == number].mean()), other=str(number + 1))
        for number in mine.unique().tolist()
    ]


def _check(tokens: TokenRows, found: TokenNeighbours, k: Sequence[int], counts: Sequence[int] | None) -> None:
    width = found.neighbours.shape[1]
    if not k or min(k) < 1 or max(k) > width:
        raise ValueError(f"Expected argument `k` to hold numbers from 1 to {width}, but got {list(k)}; find more")
    if counts is not None and len(counts) != len(tokens.labels):
        raise ValueError(
            f"Expected argument `counts` to have one count for each of {len(tokens.labels)} tokens, but got "
            f"{len(counts)}; count with the model's own tokenizer"
        )

"""How many scripts are among the nearest tokens of a token (S1, figures 5, 6 and 9)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import lgamma

import torch
from torch import Tensor

from babelscope.analyses.rows import Rows
from babelscope.analyses.tokens.token_rows import TokenRows, tidy
from babelscope.metrics.search.table_neighbours import BATCH, table_neighbours


@dataclass(frozen=True)
class TokenNeighbours:
    """The nearest tokens of n tokens."""

    ids: Tensor
    """(n,) int64 tokens."""
    distances: Tensor
    """(n, c) float32 1 - cosine of the nearest c, ascending; c is k, or less where few are needed."""
    neighbours: Tensor
    """(n, k) int32 tokens, self excluded."""

    def among(self, ids: Tensor) -> "TokenNeighbours":
        """Return those of the tokens that are among `ids`."""
        mine = torch.isin(self.ids, ids)
        return TokenNeighbours(self.ids[mine], self.distances[mine], self.neighbours[mine])


def draw_tokens(tokens: TokenRows, sample: float = 0.01, *, seed: int = 0) -> Tensor:
    """Draw a share of the tokens in use, at least one, without replacement; sorted by id.

    Raises:
        ValueError: if the share is not above 0 and at most 1.
    """
    if not 0 < sample <= 1:
        raise ValueError(
            f"Expected argument `sample` to be above 0 and at most 1, but got {sample}; Wen-Yi & Mimno 2023 take 0.01"
        )
    count = max(1, round(sample * len(tokens.ids)))
    order = torch.randperm(len(tokens.ids), generator=torch.Generator().manual_seed(seed))
    return tokens.ids[order[:count]].sort().values


def find_neighbours(tokens: TokenRows, ids: Tensor, k: int = 100, *, batch: int = BATCH) -> TokenNeighbours:
    """Find the k nearest other tokens in use, exactly, by cosine.

    All are held in memory; `find_blocks` keeps those of a long search on disk.

    Raises:
        ValueError: if k does not fit the tokens in use or an id is not among them.
    """
    parts = [
        (distances.float(), neighbours.int())
        for _, distances, neighbours in table_neighbours(tokens.table, ids, k, rows=tokens.ids, batch=batch)
    ]
    return TokenNeighbours(ids, torch.cat([part[0] for part in parts]), torch.cat([part[1] for part in parts]))


def count_scripts(
    tokens: TokenRows,
    blocks: Iterable[TokenNeighbours],
    *,
    k: Sequence[int] = (50, 100),
    counts: Sequence[int] | None = None,
) -> Rows:
    """Count the distinct scripts among the first k neighbours, beside what random neighbours give.

    Random neighbours are k of the other tokens in use, drawn without replacement: a script of m others among N is met
    with probability 1 - C(N - m, k) / C(N, k).

    Args:
        tokens: Tokens in use with their scripts.
        blocks: Neighbours of a sample of tokens, in blocks of any size, counted one after another.
        k: Numbers of neighbours, each at most those found.
        counts: Frequency of every token of the vocabulary, for scores by decile of those that occur.

    Returns:
        Rows, for each k: neighbour_scripts@K (mean; per script and for all), neighbour_scripts_sd@K,
        neighbour_scripts_null@K (expected mean; per script and for all), neighbour_scripts_legacy@K and
        neighbour_scripts_legacy_sd@K (S1's code, which counts the token itself as a neighbour),
        neighbour_scripts_share@K (other = number of scripts),
        neighbour_share@K (language = the token's script, other = the neighbours'; share of neighbours),
        neighbour_scripts_decile@K (other = "1", rarest, to "10") and neighbour_scripts_unseen@K (tokens of count 0), if
        there are counts; and neighbour_share_null (language, other).

    Raises:
        ValueError: if k is more than the neighbours found, or counts do not fit the vocabulary.
    """
    codes, names = tokens.codes, tokens.scripts
    sizes = torch.bincount(codes[tokens.ids], minlength=len(names))
    decile = None if counts is None else _deciles(tokens, counts)
    totals = {depth: _Tally.of(len(names)) for depth in k}
    for block in blocks:
        _check(block, k)
        own, theirs = codes[block.ids], codes[block.neighbours.long()]
        for depth, tally in totals.items():
            tally.add(own, theirs[:, :depth], None if decile is None else decile[block.ids])
    present: list[int] = []
    rows: Rows = []
    for depth, tally in totals.items():
        counted = tally.distinct.sum(1)  # (C,) tokens of each script
        present = counted.nonzero().flatten().tolist()
        total = int(counted.sum())
        numbers = torch.arange(tally.distinct.shape[1], dtype=torch.float64)
        shares = tally.distinct.sum(0).double() / total
        (mean, sd), (mean_legacy, sd_legacy) = (
            _moments(each, numbers) for each in (shares, tally.with_own.double() / total)
        )
        means = (tally.distinct @ numbers.long()).double() / counted
        null = {code: expected_scripts(sizes, code, depth) for code in present}
        rows += [tidy(f"neighbour_scripts@{depth}", mean)]
        rows += [tidy(f"neighbour_scripts@{depth}", float(means[code]), names[code]) for code in present]
        rows += [tidy(f"neighbour_scripts_sd@{depth}", sd)]
        rows += [tidy(f"neighbour_scripts_null@{depth}", sum(null[code] * int(counted[code]) for code in null) / total)]
        rows += [tidy(f"neighbour_scripts_null@{depth}", value, names[code]) for code, value in null.items()]
        rows += [tidy(f"neighbour_scripts_legacy@{depth}", mean_legacy)]
        rows += [tidy(f"neighbour_scripts_legacy_sd@{depth}", sd_legacy)]
        deepest = int(shares.nonzero().max())
        rows += [
            tidy(f"neighbour_scripts_share@{depth}", share, other=str(number))
            for number, share in enumerate(shares.tolist()[: deepest + 1])
            if number
        ]
        for code in present:
            row = (tally.shares[code].double() / counted[code] / depth).tolist()
            rows += [tidy(f"neighbour_share@{depth}", share, names[code], names[c]) for c, share in enumerate(row)]
        rows += [
            tidy(f"neighbour_scripts_decile@{depth}", float(found / count), other=str(number))
            if number
            else tidy(f"neighbour_scripts_unseen@{depth}", float(found / count))
            for number, (found, count) in enumerate(tally.deciles.double().tolist())
            if count
        ]
    for code in present:
        others = sizes - torch.nn.functional.one_hot(torch.tensor(code), len(names))
        shares = (others / others.sum()).double()
        rows += [tidy("neighbour_share_null", share, names[code], names[c]) for c, share in enumerate(shares.tolist())]
    return rows


def _moments(shares: Tensor, numbers: Tensor) -> tuple[float, float]:
    """Mean and standard deviation of numbers (n,) that occur in these shares (n,)."""
    mean = float(shares @ numbers)
    return mean, float(shares @ (numbers - mean).square()) ** 0.5


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


@dataclass(frozen=True)
class _Tally:
    """Whole numbers over all blocks so far, so that no sum depends on how they were cut."""

    distinct: Tensor
    """(C, C + 1) tokens by script and number of scripts among the neighbours."""
    with_own: Tensor
    """(C + 1,) tokens by number of scripts among the neighbours and the token itself."""
    shares: Tensor
    """(C, C) neighbours by script of the token and of the neighbour."""
    deciles: Tensor
    """(11, 2) scripts among the neighbours, and tokens, by decile of frequency; first those that do not occur."""

    @classmethod
    def of(cls, scripts: int) -> "_Tally":
        whole = torch.int64
        return cls(
            torch.zeros(scripts, scripts + 1, dtype=whole),
            torch.zeros(scripts + 1, dtype=whole),
            torch.zeros(scripts, scripts, dtype=whole),
            torch.zeros(11, 2, dtype=whole),
        )

    def add(self, own: Tensor, theirs: Tensor, decile: Tensor | None) -> None:
        """Count tokens of scripts own (B,) with neighbours of scripts theirs (B, k)."""
        each = torch.zeros(len(own), len(self.shares), dtype=torch.int64)
        each.scatter_add_(1, theirs, torch.ones_like(theirs))
        number = (each > 0).sum(1)
        ones = torch.ones_like(own)
        self.distinct.index_put_((own, number), ones, accumulate=True)
        self.with_own.index_add_(0, number + (each.gather(1, own.unsqueeze(1)) == 0).squeeze(1), ones)
        self.shares.index_add_(0, own, each)
        if decile is not None:
            self.deciles.index_add_(0, decile, torch.stack([number, ones], dim=1))


def _deciles(tokens: TokenRows, counts: Sequence[int]) -> Tensor:
    """(V,) decile of frequency, from 1, among tokens in use that occur, and 0 for others; ties go by id."""
    if len(counts) != len(tokens.labels):
        raise ValueError(
            f"Expected argument `counts` to have one count for each of {len(tokens.labels)} tokens, but got "
            f"{len(counts)}; count with the model's own tokenizer"
        )
    frequency = torch.tensor(counts)[tokens.ids]
    occurs = tokens.ids[frequency > 0]
    order = frequency[frequency > 0].argsort(stable=True)
    decile = torch.zeros(len(tokens.labels), dtype=torch.int64)
    decile[occurs[order]] = 1 + torch.arange(len(order)) * 10 // max(1, len(order))
    return decile


def _check(block: TokenNeighbours, k: Sequence[int]) -> None:
    width = block.neighbours.shape[1]
    if not k or min(k) < 1 or max(k) > width:
        raise ValueError(f"Expected argument `k` to hold numbers from 1 to {width}, but got {list(k)}; find more")

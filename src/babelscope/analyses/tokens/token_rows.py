"""The rows of a token table that can be analysed, and their number by label."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import torch
from torch import Tensor

from babelscope.analyses.rows import Rows, row
from babelscope.metrics.point_spread import measure_spread

LAYER = "0"  # the token table is what enters block 0
BLOCK = 4096
tidy = partial(row, layer=LAYER)
"""Make one row of a token table."""


@dataclass(frozen=True)
class TokenRows:
    """A token table with the label of every token and the rows in use; build it with `token_rows`."""

    table: Tensor
    """(V, D) as stored, padding rows cut off; it may end before the vocabulary does, never before a used row."""
    labels: tuple[str, ...]
    """Label of each token of the vocabulary; an empty one leaves the token out."""
    ids: Tensor
    """(N,) int64 rows in use, ascending: labelled, with a direction."""
    zero: tuple[int, ...]
    """Labelled rows of norm zero, left out."""
    padding: int
    """Rows of the table beyond the vocabulary, dropped."""

    @cached_property
    def scripts(self) -> tuple[str, ...]:
        """The C labels in use, most frequent first."""
        return tuple(name for name, _ in Counter(self.labels[i] for i in self.ids.tolist()).most_common())

    @cached_property
    def codes(self) -> Tensor:
        """Index into `scripts` of each token of the vocabulary, int64; -1 for a token that is left out."""
        place = {name: code for code, name in enumerate(self.scripts)}
        codes = torch.full((len(self.labels),), -1)
        codes[self.ids] = torch.tensor([place[self.labels[i]] for i in self.ids.tolist()])
        return codes

    def unit(self, ids: Tensor) -> Tensor:
        """Return the float32 directions of some rows."""
        return torch.nn.functional.normalize(self.table[ids].float(), dim=1)


@torch.no_grad()
def token_rows(table: Tensor, labels: Sequence[str]) -> TokenRows:
    """Pair a table (V, D), of any floating type and perhaps memory-mapped, with one label per token of the vocabulary.

    Tokens without a label need no row: Gemma 3's tokenizer has a special token of images beyond its text models' table.

    Raises:
        ValueError: if a labelled token has no row, a used row is not finite, or no row is left.
    """
    if table.ndim != 2 or not table.is_floating_point():
        raise ValueError(
            f"Expected argument `table` to be a floating-point table (V, D), but got {table.dtype} of shape "
            f"{tuple(table.shape)}; give the token table of a model"
        )
    size = min(len(table), len(labels))
    beyond = next((token for token, label in enumerate(labels[size:], size) if label), None)
    if beyond is not None:
        raise ValueError(
            f"Expected `model.checkpoint` to have a row for each of {sum(map(bool, labels))} ordinary tokens of its "
            f"tokenizer, but its table has {size} rows, and the token of id {beyond} has none; give a whole "
            "checkpoint, or set model.tokenizer to its own."
        )
    named = torch.tensor([bool(label) for label in labels[:size]], dtype=torch.bool)
    norms = torch.cat([part.float().norm(dim=1) for part in table[:size].split(BLOCK)])
    if not bool(norms[named].isfinite().all()):
        bad = int((named & ~norms.isfinite()).nonzero()[0])
        raise ValueError(f"Expected argument `table` to be finite, but row {bad} is not; look for a damaged file")
    ids = (named & (norms > 0)).nonzero().flatten()
    if not len(ids):
        raise ValueError(
            f"Expected tokens with a label and a direction, but got none among {len(labels)}; check the labels"
        )
    zero = tuple((named & (norms == 0)).nonzero().flatten().tolist())
    return TokenRows(table[:size], tuple(labels), ids, zero, len(table) - size)


def describe(tokens: TokenRows) -> Rows:
    """Count tokens, by label too, and measure isotropy.

    Returns:
        Rows tokens (each label; empty language for all in use), tokens_unlabelled, tokens_zero, tokens_padding, width,
        isoscore, mean_cosine, variance.
    """
    counts = Counter(tokens.labels[i] for i in tokens.ids.tolist())
    spread = measure_spread(tokens.table, rows=tokens.ids)
    return [
        *(tidy("tokens", count, name) for name, count in counts.most_common()),
        tidy("tokens", len(tokens.ids)),
        tidy("tokens_unlabelled", sum(not label for label in tokens.labels)),
        tidy("tokens_zero", len(tokens.zero)),
        tidy("tokens_padding", tokens.padding),
        tidy("width", tokens.table.shape[1]),
        tidy("isoscore", spread.isoscore),
        tidy("mean_cosine", spread.mean_cosine),
        tidy("variance", spread.variance),
    ]

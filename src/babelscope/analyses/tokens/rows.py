"""The rows of a token table that can be analysed, and the form of a result."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from babelscope.metrics.isotropy import isotropy

LAYER = "0"  # the token table is what enters block 0
BLOCK = 4096


def tidy(metric: str, value: float, language: str = "", other: str = "") -> dict[str, Any]:
    """Return one row without run, step and epoch, which the caller knows."""
    return {"layer": LAYER, "metric": metric, "language": language, "other": other, "value": float(value)}


@dataclass(frozen=True)
class TokenRows:
    """A token table with the label of every token and the rows in use; build it with `token_rows`."""

    table: Tensor
    """(V, D) as stored, padding rows cut off."""
    labels: tuple[str, ...]
    """(V) label of each token; an empty one leaves the token out."""
    ids: Tensor
    """(N,) int64 rows in use, ascending: labelled, with a direction."""
    zero: tuple[int, ...]
    """Labelled rows of norm zero, left out."""
    padding: int
    """Rows of the table beyond the vocabulary, dropped."""

    @property
    def names(self) -> tuple[str, ...]:
        """The C labels in use, most frequent first."""
        return tuple(name for name, _ in Counter(self.labels[i] for i in self.ids.tolist()).most_common())

    @property
    def codes(self) -> Tensor:
        """(V,) int64 index into `names`; -1 for a token that is left out."""
        place = {name: code for code, name in enumerate(self.names)}
        codes = torch.full((len(self.labels),), -1)
        codes[self.ids] = torch.tensor([place[self.labels[i]] for i in self.ids.tolist()])
        return codes

    def unit(self, ids: Tensor) -> Tensor:
        """Return the float32 directions of some rows."""
        return torch.nn.functional.normalize(self.table[ids].float(), dim=1)


@torch.no_grad()
def token_rows(table: Tensor, labels: Sequence[str]) -> TokenRows:
    """Pair a table (V, D), of any floating type and perhaps memory-mapped, with one label per token of the vocabulary.

    Raises:
        ValueError: If the table is shorter than the vocabulary, a used row is not finite, or no row is left.
    """
    if table.ndim != 2 or not table.is_floating_point() or len(table) < len(labels):
        raise ValueError(
            f"Expected argument `table` to be a floating-point table with a row for each of {len(labels)} tokens, but "
            f"got {table.dtype} of shape {tuple(table.shape)}; give the table and the tokenizer of one model"
        )
    norms = torch.cat([table[start : start + BLOCK].float().norm(dim=1) for start in range(0, len(labels), BLOCK)])[
        : len(labels)
    ]
    named = torch.tensor([bool(label) for label in labels])
    if not bool(norms[named].isfinite().all()):
        row = int((named & ~norms.isfinite()).nonzero()[0])
        raise ValueError(f"Expected argument `table` to be finite, but row {row} is not; look for a damaged file")
    ids = (named & (norms > 0)).nonzero().flatten()
    if not len(ids):
        raise ValueError(
            f"Expected tokens with a label and a direction, but got none among {len(labels)}; check the labels"
        )
    zero = tuple((named & (norms == 0)).nonzero().flatten().tolist())
    return TokenRows(table[: len(labels)], tuple(labels), ids, zero, len(table) - len(labels))


def describe(tokens: TokenRows) -> list[dict[str, Any]]:
    """Count tokens, by label too, and measure isotropy.

    Returns:
        Rows tokens (each label; empty language for all in use), tokens_unlabelled, tokens_zero, tokens_padding, width,
        isoscore, mean_cosine, variance.
    """
    counts = Counter(tokens.labels[i] for i in tokens.ids.tolist())
    spread = isotropy(tokens.table, rows=tokens.ids)
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

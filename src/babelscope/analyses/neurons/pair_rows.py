"""LRDS and SADS as rows, with their intervals and what chance gives."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from babelscope.analyses.rows import Rows, row
from babelscope.metrics.lrds import lrds_by_language, lrds_of
from babelscope.metrics.pairs.cosine_sums import CosineSums
from babelscope.metrics.pairs.intervals import interval
from babelscope.metrics.pairs.nulls import Relabelling
from babelscope.metrics.sads import sads_by_language, sads_by_pair, sads_of


def pair_rows(layer: str, sums: CosineSums, languages: Sequence[str]) -> Rows:
    """Rows `lrds` and `sads` per language and as their mean, each with `_low` and `_high` over sentences.

    Raises:
        ValueError: if there are fewer than 3 sentences.
    """
    rows, means = [], sums.means
    for metric, of, by_language in (("lrds", lrds_of, lrds_by_language), ("sads", sads_of, sads_by_language)):
        for names, statistic in ((languages, by_language), ([""], of)):
            low, high = interval(sums, statistic)
            for end, values in (("", statistic(means)), ("_low", low), ("_high", high)):
                numbers = values.reshape(-1).tolist()
                rows += [
                    row(f"{metric}{end}", value, name, layer=layer) for name, value in zip(names, numbers, strict=True)
                ]
    return rows


def null_rows(layer: str, cosines: Tensor, relabelling: Relabelling) -> Rows:
    """Rows `lrds_null_low` and so on: the range of what relabelled points (S, S) give."""
    rows = []
    for metric, values in (("lrds", relabelling.lrds(cosines)), ("sads", relabelling.sads(cosines))):
        rows += [
            row(f"{metric}_null_{end}", value, layer=layer)
            for end, value in (("low", values.min()), ("high", values.max()))
        ]
    return rows


def language_pair_rows(layer: str, sums: CosineSums, languages: Sequence[str]) -> Rows:
    """Rows `sads` of every two languages."""
    values = sads_by_pair(sums.means).tolist()
    return [
        row("sads", values[i][j], language, other, layer=layer)
        for i, language in enumerate(languages)
        for j, other in enumerate(languages)
        if i != j
    ]


def legacy_row(layer: str, sums: CosineSums) -> dict[str, Any]:
    """One row `sads_legacy`, of points in the order of the released code."""
    return row("sads_legacy", sads_of(sums.means), layer=layer)

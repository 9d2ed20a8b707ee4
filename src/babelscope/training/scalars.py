"""Rows as the scalars a logger shows: one name per metric and layer, never one per language."""

from collections.abc import Iterable, Mapping
from typing import Any


def layer_scalars(rows: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Name the rows that describe a whole layer, as `ilo/layer_07`.

    Dashboards group by the text before the last slash, so the metric is the section and the zero-padded layer its leaf.
    Values per language or pair stay in the table: 25 layers x 31 languages would drown any dashboard.
    """
    return {
        f"{row['metric']}/layer_{row['layer']:0>2}": row["value"]
        for row in rows
        if row["layer"] and not row["language"] and not row["other"]
    }

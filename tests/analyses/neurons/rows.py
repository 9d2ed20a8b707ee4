"""Rows of scores, as the tests of this folder look them up."""

from typing import Any


def by_key(rows: list[dict[str, Any]], *columns: str) -> dict[tuple[str, ...], float]:
    """Value by what is in some columns, which is another in every row."""
    found = {tuple(row[column] for column in columns): row["value"] for row in rows}
    assert len(found) == len(rows)
    return found

"""The form of a result of an analysis: tidy rows."""

from typing import Any

Rows = list[dict[str, Any]]


def row(metric: str, value: Any, language: str = "", other: str = "", *, layer: str = "") -> dict[str, Any]:
    """Return one row without run, step and epoch, which the caller knows; without a layer it is of the whole model."""
    return {"layer": layer, "metric": metric, "language": language, "other": other, "value": float(value)}

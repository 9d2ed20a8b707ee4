"""Metrics as a LightningModule logged them, by language."""

import re
from collections.abc import Mapping
from typing import SupportsFloat

# what Lightning appends: that a mean is one of the epoch, and, with several loaders, which of them it is of
_NAME = re.compile(r"(?P<metric>[^/]+)/(?P<language>.+?)(?P<epoch>_epoch)?(?P<loader>/dataloader_idx_\d+)?")


def by_language(logged: Mapping[str, SupportsFloat], stage: str) -> dict[tuple[str, str], float]:
    """Give the value of every metric and language that was logged as `STAGE_NAME/LANGUAGE`.

    Where one language has several loaders, each after the first is a metric of its own, `NAME/dataloader_idx_N`.
    """
    found: dict[tuple[str, str], float] = {}
    loaders: dict[tuple[str, str], str] = {}
    for name, value in logged.items():
        parts = _NAME.fullmatch(name)
        if parts is None or not parts["metric"].startswith(f"{stage}_"):
            continue
        metric, language, loader = parts["metric"], parts["language"], parts["loader"] or ""
        first = loaders.setdefault((metric, language), loader)
        found[metric if loader == first else f"{metric}{loader}", language] = float(value)
    return found

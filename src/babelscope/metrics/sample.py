"""The input of every layer metric: one layer's pooled states, with the language and sentence of each."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class LayerSample:
    """One layer's states of S points; a point is one sentence in one of K languages.

    Raises:
        ValueError: if shapes, types or devices do not fit, a language has no point, or a state is not finite.
    """

    x: Tensor
    """(S, D) float32 pooled states."""
    language: Tensor
    """(S,) int64 language of each point, from 0 to K - 1, each at least once."""
    sentence: Tensor
    """(S,) int64 sentence of each point; translations of one sentence share their number."""
    languages: tuple[str, ...] = ()
    """K FLORES codes in the order of `language`; may be left empty."""
    start: Tensor | None = None
    """(S, D) float32 states of the same points at step 0, for metrics of change; most metrics ignore it."""

    def __post_init__(self) -> None:
        for field in ("x", "language", "sentence"):
            value = getattr(self, field)
            if not isinstance(value, Tensor):
                raise ValueError(
                    f"Expected argument `{field}` to be a tensor, but got {type(value).__name__}; wrap it in "
                    "torch.as_tensor"
                )
        if self.x.ndim != 2 or self.x.dtype != torch.float32 or 0 in self.x.shape:
            raise ValueError(
                f"Expected argument `x` to be a non-empty float32 tensor of shape (S, D), "
                f"but got {self.x.dtype} of shape {tuple(self.x.shape)}; pool to (S, D) and call .float()"
            )
        for field, value in (("language", self.language), ("sentence", self.sentence)):
            if value.shape != self.x.shape[:1] or value.dtype != torch.int64 or value.device != self.x.device:
                raise ValueError(
                    f"Expected argument `{field}` to be an int64 tensor of shape ({len(self.x)},) on {self.x.device}, "
                    f"but got {value.dtype} of shape {tuple(value.shape)} on {value.device}; index the rows of x"
                )
        self._check_languages()
        self._check_start()
        if not torch.isfinite(self.x).all():
            row, column = (~torch.isfinite(self.x)).nonzero()[0].tolist()
            raise ValueError(
                f"Expected argument `x` to be finite, but got {self.x[row, column].item()} for language "
                f"{self.name(int(self.language[row]))}, sentence {int(self.sentence[row])}; "
                f"run the model in bfloat16 or float32 rather than float16, or look for diverged training"
            )

    def _check_languages(self) -> None:
        if int(self.language.min()) < 0:
            raise ValueError(
                f"Expected argument `language` to hold indices from 0, but got {int(self.language.min())}; "
                f"number the languages 0 to K - 1"
            )
        present = int(self.language.max()) + 1
        if self.languages and present > len(self.languages):
            raise ValueError(
                f"Expected argument `languages` to name every language, but got {len(self.languages)} names and index "
                f"{present - 1}; give one name per language or leave languages empty"
            )
        points = torch.bincount(self.language, minlength=self.n_languages)
        if not bool(points.all()):
            absent = int((points == 0).nonzero()[0])
            raise ValueError(
                f"Expected argument `language` to use every index below {self.n_languages}, but language "
                f"{self.name(absent)} has no point; drop the language or renumber the rest"
            )

    def _check_start(self) -> None:
        start = self.start
        if start is None:
            return
        if start.shape != self.x.shape or start.dtype != torch.float32 or start.device != self.x.device:
            raise ValueError(
                f"Expected argument `start` to be a float32 tensor of shape {tuple(self.x.shape)} on {self.x.device}, "
                f"but got {start.dtype} of shape {tuple(start.shape)} on {start.device}; embed the same points"
            )
        if not bool(start.isfinite().all()):
            row = int((~start.isfinite()).any(1).nonzero()[0])
            raise ValueError(
                f"Expected argument `start` to be finite, but it is not for language "
                f"{self.name(int(self.language[row]))}, sentence {int(self.sentence[row])}; embed step 0 again"
            )

    def to(self, device: torch.device | str) -> "LayerSample":
        """Return the same sample on a device."""
        start = None if self.start is None else self.start.to(device)
        x, language, sentence = (own.to(device) for own in (self.x, self.language, self.sentence))
        return replace(self, x=x, language=language, sentence=sentence, start=start)

    @property
    def n_languages(self) -> int:
        """K, the number of languages."""
        return len(self.languages) or int(self.language.max()) + 1

    def name(self, language: int) -> str:
        """Return the FLORES code of a language index, or the index itself where no names are given."""
        return self.languages[language] if self.languages else str(language)


LayerMetric = Callable[[LayerSample], dict[str, Tensor]]
"""The rank of each tensor is its scope: 0-d the layer, 1-d per language, 2-d per (language, other language)."""


def function_of(metric: LayerMetric) -> Any:
    """Return the function of a metric whose options may be bound by `partial`; what it says of itself is there."""
    return metric.func if isinstance(metric, partial) else metric

"""What a row gives back: lines of the table, curves, and reasons for having neither."""

import operator
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from math import isfinite, log2
from statistics import linear_regression, median
from typing import Any, Literal

SENSES = {"<=": operator.le, ">=": operator.ge, "==": operator.eq}


class Skip(Exception):  # noqa: N818  (not an error)
    """A row, or a line of it, has not what it needs; the message says what."""


@dataclass(frozen=True)
class Settings:
    """What the command was told."""

    quick: bool = False
    repeats: int = 5
    threads: int = 2
    corpus: str = ""
    """Folder of SIB-200."""
    scratch: str = ""
    """Folder for files that are removed again."""


@dataclass(frozen=True)
class Check:
    """A figure of equality with its bound; never a time."""

    what: str
    value: float
    sense: Literal["<=", ">=", "=="]
    bound: float

    @property
    def holds(self) -> bool:
        return isfinite(self.value) and bool(SENSES[self.sense](self.value, self.bound))


@dataclass
class Line:
    """One line of the table. `ours[i]` and `theirs[i]` were measured one after the other."""

    work: str
    peer: str
    ours: Sequence[float] = ()
    """Seconds."""
    theirs: Sequence[float] = ()
    target: float | None = None
    """At least this ratio theirs / ours; of a share ours / theirs - 1, at most this."""
    share: bool = False
    checks: Sequence[Check] = ()
    extras: dict[str, Any] = field(default_factory=dict)

    @property
    def ratios(self) -> list[float]:
        if self.share:
            return [a / b - 1 for a, b in zip(self.ours, self.theirs, strict=True)]
        return [b / a for a, b in zip(self.ours, self.theirs, strict=True)]

    def record(self) -> dict[str, Any]:
        ratios = self.ratios
        return {
            "kind": "line",
            **asdict(self),
            "checks": [{**asdict(check), "holds": check.holds} for check in self.checks],
            "median_ours": median(self.ours) if self.ours else None,
            "median_theirs": median(self.theirs) if self.theirs else None,
            "ratio": median(ratios) if ratios else None,
            "ratio_from": min(ratios) if ratios else None,
            "ratio_to": max(ratios) if ratios else None,
            "holds": all(check.holds for check in self.checks),
        }


@dataclass
class Curve:
    """Seconds of one piece of work at growing sizes of one thing."""

    work: str
    variable: str
    sizes: Sequence[int]
    seconds: Sequence[float]

    def record(self) -> dict[str, Any]:
        """The slope is that of the least-squares line through the logarithms."""
        slope = linear_regression([log2(n) for n in self.sizes], [log2(s) for s in self.seconds]).slope
        return {"kind": "curve", **asdict(self), "slope": slope, "per_doubling": 2**slope}

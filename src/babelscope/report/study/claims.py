"""The claims of S2 (Wilie et al. 2025), and what users ask next, each as an effect with an interval and a verdict.

Every effect is signed so that a positive one speaks for the claim. It holds if its 95 % interval is wholly above 0,
does not hold if the interval is wholly below, and is undecided in between or without an interval.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import isnan, nan, sqrt

import numpy as np
import pandas as pd

from babelscope.report.study.intervals import (
    ROUNDING,
    Interval,
    bootstrap_interval,
    fisher_interval,
    rank_correlation,
    t_interval,
)
from babelscope.report.study.tables import BASE, UNIT, Study, lower_is_better, pair_differences, unit_noun

HOLDS, FAILS, OPEN = "holds", "does not hold", "undecided"


@dataclass(frozen=True)
class Claim:
    """One claim, measured."""

    text: str
    effect: Interval
    measure: str
    """What the effect is, in words."""
    how: str
    """What the interval is over, and by which method."""
    units: list[float] = field(default_factory=list)
    """The single values behind the effect, for a figure."""

    @property
    def verdict(self) -> str:
        """Whether the interval lies wholly above 0, wholly below, or neither."""
        if not self.effect.known:
            return OPEN
        return HOLDS if self.effect.low > ROUNDING else FAILS if self.effect.high < -ROUNDING else OPEN


def check_claims(study: Study, values: pd.DataFrame, languages: pd.DataFrame, metric: str) -> list[Claim]:
    """Measure every claim by one alignment score; a claim without the runs that it needs is left out."""
    return [
        *check_alignment(study, values, languages, metric),
        *check_transfer(study, values),
        *check_link(study, values, metric),
    ]


def check_alignment(study: Study, values: pd.DataFrame, languages: pd.DataFrame, metric: str) -> list[Claim]:
    """Measure the claims about alignment: spread over languages, fall, depth of the fall, and what freezing keeps."""
    claims = [_spread(languages, metric)]
    grid = _by_unit(values, "kept", metric, BASE)
    if "early" in grid:
        text = "Fine-tuning on one language lowers alignment in the early layers."
        claims.append(_claim(study, text, -grid["early"], "fall in the early third, setting none"))
    if {"early", "later"} <= set(grid.columns):
        text = "It lowers alignment more in the early layers than in the later ones."
        measure = "fall in the early third minus fall in the later two thirds, setting none"
        claims.append(_claim(study, text, (grid["later"] - grid["early"]).dropna(), measure))
    differences = pair_differences(values[(values["quantity"] == "kept") & (values["metric"] == metric)])
    for setting in _early(study):
        chosen = differences[(differences["setting"] == setting) & (differences["part"] == "early")]
        text = f"Freezing early layers ({setting}) retains alignment."
        claims.append(_claim(study, text, chosen["value"], f"early alignment kept, {setting} minus none"))
    return [claim for claim in claims if claim.effect.n]


def check_transfer(study: Study, values: pd.DataFrame) -> list[Claim]:
    """Measure the claims about the task: zero-shot gain, cost in the source language, the best setting."""
    claims = []
    better = -1 if lower_is_better(study.score) else 1
    differences = pair_differences(values)
    for quantity, way, sentence, measure in (
        (
            "zero_shot",
            better,
            "Freezing early layers ({}) improves zero-shot transfer.",
            "zero-shot {}, better than none by",
        ),
        (
            "source",
            -better,
            "Freezing early layers ({}) costs score in the source language.",
            "source {}, worse than none by",
        ),
    ):
        for setting in _early(study):
            chosen = differences[(differences["setting"] == setting) & (differences["quantity"] == quantity)]
            claims.append(_claim(study, sentence.format(setting), way * chosen["value"], measure.format(study.score)))
    claims += _best(study, values, better)
    return [claim for claim in claims if claim.effect.n]


def check_link(study: Study, values: pd.DataFrame, metric: str) -> list[Claim]:
    """Measure whether settings, and runs, that keep more early alignment transfer better (rank correlation)."""
    better = -1 if lower_is_better(study.score) else 1
    kept = values[(values["quantity"] == "kept") & (values["metric"] == metric) & (values["part"] == "early")]
    carried = values[values["quantity"] == "zero_shot"]
    keys = ["setting", *UNIT]
    both = kept[[*keys, "value"]].merge(carried[[*keys, "value"]], on=keys, suffixes=("_kept", "_carried")).dropna()
    if both["setting"].nunique() < 3:
        return []
    both["value_carried"] *= better
    means = both.groupby("setting")[["value_kept", "value_carried"]].mean()
    over_settings = fisher_interval(means["value_kept"].to_numpy(), means["value_carried"].to_numpy())
    measure = f"Spearman's rank correlation of early alignment kept and zero-shot {study.score}"
    claims = [
        Claim(
            "Settings that keep more early alignment transfer better.",
            over_settings,
            f"{measure}, over the settings' means",
            f"Fisher's z over {len(means)} settings",
        )
    ]
    # what a seed or a source language does to all its settings alike is taken out
    centred = both[["value_kept", "value_carried"]] - both.groupby(UNIT)[["value_kept", "value_carried"]].transform(
        "mean"
    )
    blocks = [centred.loc[places].to_numpy() for places in both.groupby(UNIT).groups.values()]

    def correlate(places: np.ndarray) -> float:
        drawn = np.concatenate([blocks[place] for place in places])
        return rank_correlation(drawn[:, 0], drawn[:, 1])

    value = correlate(np.arange(len(blocks)))
    low, high = bootstrap_interval(correlate, value, units=len(blocks))
    how = f"bootstrap over {unit_noun(study, len(blocks))}, {len(both)} runs"
    text = "Runs that keep more early alignment transfer better, within a seed and source language."
    claims.append(Claim(text, Interval(value, low, high, len(both)), f"{measure}, over runs", how))
    return [claim for claim in claims if not isnan(claim.effect.value)]


def _spread(languages: pd.DataFrame, metric: str) -> Claim:
    """Measure how far languages differ before fine-tuning: the part of their spread that several seeds agree on.

    Every seed reads other sentences, so the covariance over languages between two seeds is the variance of the
    languages' own levels, without the noise of sampling; it may be negative. Its signed root is a standard deviation.
    """
    chosen = languages[
        (languages["quantity"] == "first") & (languages["metric"] == metric) & (languages["part"] == "early")
    ]
    # before fine-tuning all settings and sources of a seed are the same model on the same sentences
    grid = chosen.groupby(["language", "seed"])["value"].mean().unstack("seed").dropna()
    profiles = grid.to_numpy()
    distinct = [
        place
        for place in range(profiles.shape[1])
        if all(np.abs(profiles[:, place] - profiles[:, other]).max(initial=0) > 1e-9 for other in range(place))
    ]
    profiles = profiles[:, distinct]
    count, seeds = profiles.shape

    def spread(places: np.ndarray) -> float:
        if len(set(places)) < 2:
            return nan
        covariance = np.cov(profiles[places], rowvar=False)
        shared = float(covariance[~np.eye(seeds, dtype=bool)].mean())
        return sqrt(abs(shared)) * (1 if shared >= 0 else -1)

    text = "Alignment differs between languages before fine-tuning."
    measure = "standard deviation between languages that seeds agree on, early third, step 0"
    if count < 3 or seeds < 2:  # one measurement cannot tell languages from chance
        value = float(profiles[:, 0].std(ddof=1)) if count > 1 and seeds else nan
        measure = "standard deviation between languages, early third, step 0"
        return Claim(text, Interval(value, nan, nan, count), measure, "no interval: all seeds read the same sentences")
    value = spread(np.arange(count))
    low, high = bootstrap_interval(spread, value, units=count)
    how = f"bootstrap over {count} languages, {seeds} seeds"
    return Claim(text, Interval(value, low, high, count), measure, how)


def _best(study: Study, values: pd.DataFrame, better: int) -> list[Claim]:
    grid = values[values["quantity"] == "zero_shot"].pivot(index=UNIT, columns="setting", values="value") * better
    means = grid.mean().sort_values(ascending=False, kind="stable")
    if len(means) < 2:
        return []
    first, second = means.index[:2]
    text = f"{first} gives the best zero-shot {study.score}, ahead of the runner-up {second}."
    return [_claim(study, text, (grid[first] - grid[second]).dropna(), f"zero-shot {study.score}, {first} ahead by")]


def _early(study: Study) -> list[str]:
    """Select the settings that freeze early layers and do nothing else."""
    return [name for name in study.settings if name.startswith("early") and "lora" not in name]


def _by_unit(values: pd.DataFrame, quantity: str, metric: str, setting: str) -> pd.DataFrame:
    chosen = (values["quantity"] == quantity) & (values["metric"] == metric) & (values["setting"] == setting)
    return values[chosen].pivot(index=UNIT, columns="part", values="value")


def _claim(study: Study, text: str, units: Sequence[float] | pd.Series, measure: str) -> Claim:
    known = [float(value) for value in units if not isnan(value)]
    effect, how = t_interval(known), f"no interval: {unit_noun(study, 1)}"
    if effect.known:
        how = f"Student's t over {unit_noun(study, effect.n)}"
    if effect.half == 0 and abs(effect.value) > ROUNDING:  # repeats of one run are no replicates
        effect = Interval(effect.value, nan, nan, effect.n)
        how = f"no interval: {unit_noun(study, effect.n)} gave the same to the last digit"
    return Claim(text, effect, measure, how, known)

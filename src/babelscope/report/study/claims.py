"""The claims of S2 (Wilie et al. 2025), and what users ask next, each as an effect with an interval and a verdict.

Every effect is signed so that a positive one speaks for the claim. It holds if its 95 % interval is wholly above 0,
does not hold if the interval is wholly below, and is undecided in between or without an interval.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import isnan, nan, sqrt

import numpy as np
import pandas as pd

from babelscope.report.bidi import isolate
from babelscope.report.runs import counted
from babelscope.report.study.directions import direction_of, lower_is_better
from babelscope.report.study.intervals import (
    ROUNDING,
    Interval,
    bootstrap_interval,
    fisher_interval,
    rank_correlation,
    t_interval,
)
from babelscope.report.study.replicates import parts_of_depth
from babelscope.report.study.studies import Study
from babelscope.report.study.tables import BASE, UNIT, by_seed, pair_differences, ranked_values

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
    """Measure the claims about alignment: spread over languages, drop, depth of the drop, and what freezing keeps.

    A score where lower is better has its sign turned; one that is neither makes no claim.
    """
    way = direction_of(metric)
    if not way:
        return []
    claims, turned = [_spread(study, languages, metric)], "" if way > 0 else " (rise, as lower is better)"
    chosen = (values["quantity"] == "kept") & (values["metric"] == metric) & (values["setting"] == BASE)
    grid = values[chosen].pivot(index=UNIT, columns="part", values="value") * way
    if "early" in grid:
        text = "Fine-tuning on one language lowers alignment in the early layers."
        claims.append(_claim(study, text, -grid["early"], f"drop in the early third, setting none{turned}"))
    if {"early", "later"} <= set(grid.columns):
        text = "It lowers alignment more in the early layers than in the later ones."
        measure = f"drop in the early third minus drop in the later two thirds, setting none{turned}"
        claims.append(_claim(study, text, grid["later"] - grid["early"], measure))
    for setting in _early(study):
        # layers that a setting freezes keep theirs by construction, which says nothing
        frozen = next((run.frozen_layers for run in study.runs if run.setting == setting and run.parts), None)
        above = kept_above(study, setting, metric, frozen)
        text = f"Freezing early layers ({isolate(setting)}) retains alignment in the layers above, which train."
        where = f"above layer {frozen[-1]}" if frozen else "in the later two thirds"
        measure = f"alignment kept {where}, {isolate(setting)} minus none{turned}"
        claims.append(_claim(study, text, way * pair_differences(above).set_index(UNIT)["value"], measure))
    return [claim for claim in claims if claim.effect.n]


def kept_above(study: Study, setting: str, metric: str, frozen: Sequence[str] | None) -> pd.DataFrame:
    """List how one score changed in the layers that a setting does not freeze, for the setting and for none.

    Columns: setting, source, seed, value. Without a trainable map these are the later two thirds.
    """
    rows = []
    for run in study.runs:
        if run.setting not in (BASE, setting):
            continue
        known = ((run.layers["metric"] == metric) & run.layers["value"].notna()).to_numpy()
        step, layer, value = (run.layers[name].to_numpy()[known] for name in ("step", "layer", "value"))
        parts = parts_of_depth(list(dict.fromkeys(layer)))
        chosen = set(parts["all"]) - set(frozen) if frozen else set(parts["later"])
        inside = np.array([name in chosen for name in layer], dtype=bool)
        step, value = step[inside], value[inside]
        if len(np.unique(step)) > 1:
            keys = {"setting": run.setting, "source": run.source, "seed": run.seed}
            change = value[step == step.max()].mean() - value[step == step.min()].mean()
            rows.append({**keys, "value": float(change)})
    table = pd.DataFrame(rows, columns=["setting", *UNIT, "value"])
    return table.groupby(["setting", *UNIT], sort=True)["value"].mean().reset_index()


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
            units = way * chosen.set_index(UNIT)["value"]
            claims.append(_claim(study, sentence.format(isolate(setting)), units, measure.format(study.score)))
    claims += _best(study, values, better)
    return [claim for claim in claims if claim.effect.n]


def check_link(study: Study, values: pd.DataFrame, metric: str) -> list[Claim]:
    """Measure whether ranked settings that keep more early alignment transfer better, by rank correlation."""
    way, better = direction_of(metric), -1 if lower_is_better(study.score) else 1
    both = _kept_and_carried(values, metric)
    if not way or both["setting"].nunique() < 3:
        return []
    both = both.assign(kept=way * both["kept"], carried=better * both["carried"])
    means = both.groupby("setting")[["kept", "carried"]].mean()
    over_settings = fisher_interval(means["kept"].to_numpy(), means["carried"].to_numpy())
    measure = f"Spearman's rank correlation of early alignment kept and zero-shot {study.score}"
    over = Claim(
        "Settings that keep more early alignment transfer better.",
        over_settings,
        f"{measure}, over the settings' means",
        f"Fisher's z over {len(means)} settings",
    )
    each = {
        seed: rank_correlation(rows["kept"].to_numpy(), rows["carried"].to_numpy())
        for seed, rows in both.groupby("seed")
    }
    text = "Runs that keep more early alignment transfer better, within a seed."
    units = pd.Series(each, dtype=float).rename_axis("seed")
    within = _claim(study, text, units, f"{measure}, over the settings of a seed, then the mean over seeds")
    low, high = max(within.effect.low, -1.0), min(within.effect.high, 1.0)
    bounded = replace(within.effect, low=low, high=high) if within.effect.known else within.effect
    return [claim for claim in (over, replace(within, effect=bounded)) if not isnan(claim.effect.value)]


def _kept_and_carried(values: pd.DataFrame, metric: str) -> pd.DataFrame:
    """List per ranked setting and seed the kept early alignment and the zero-shot score, on shared units."""
    shared = ranked_values(values)
    kept = (shared["quantity"] == "kept") & (shared["metric"] == metric) & (shared["part"] == "early")
    found = by_seed(shared[kept | (shared["quantity"] == "zero_shot")], ["setting", "quantity"])
    grid = found.pivot(index=["setting", "seed"], columns="quantity", values="value")
    grid = grid.reindex(columns=["kept", "zero_shot"]).rename(columns={"zero_shot": "carried"})
    return grid.dropna().reset_index()


def _spread(study: Study, languages: pd.DataFrame, metric: str) -> Claim:
    """Measure how far languages differ before fine-tuning: the part of their spread that several seeds agree on.

    Every seed draws other sentences, so the covariance over languages between two seeds is the variance of the
    languages' own levels, without the noise of drawing; it may be negative. Its signed root is a standard deviation.
    Seeds draw from one finite pool of test sentences, and may share some: what these sentences do to a language stays
    in, so the claim is on these test sentences. Scores against a pivot depend on the source language: we take one.
    """
    source = study.sources[0]
    chosen = languages[
        (languages["quantity"] == "first")
        & (languages["metric"] == metric)
        & (languages["part"] == "early")
        & (languages["source"] == source)
    ]
    # before fine-tuning all settings of a seed are the same model on the same sentences
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

    text = "Alignment differs between languages before fine-tuning, on these test sentences."
    where = f", runs on {isolate(source)}" if len(study.sources) > 1 else ""
    measure = f"standard deviation between languages that seeds agree on, early third, step 0{where}"
    if count < 3 or seeds < 2:  # one measurement cannot tell languages from chance
        value = float(profiles[:, 0].std(ddof=1)) if count > 1 and seeds else nan
        measure = f"standard deviation between languages, early third, step 0{where}"
        return Claim(text, Interval(value, nan, nan, count), measure, "no interval: all seeds read the same sentences")
    value = spread(np.arange(count))
    low, high = bootstrap_interval(spread, value, units=count)
    how = f"bootstrap over {count} languages, {seeds} seeds"
    return Claim(text, Interval(value, low, high, count), measure, how)


def _best(study: Study, values: pd.DataFrame, better: int) -> list[Claim]:
    shared = ranked_values(values)
    scores = shared[shared["quantity"] == "zero_shot"]
    grid = scores.pivot(index=UNIT, columns="setting", values="value") * better
    by_setting = by_seed(scores, ["setting"]).groupby("setting")["value"].mean() * better
    means = by_setting.sort_values(ascending=False, kind="stable")
    if len(means) < 2:
        return []
    first, second = (str(name) for name in means.index[:2])
    if BASE in (first, second) and {first, second} & set(_early(study)):
        return []  # whether freezing improves transfer has been asked already
    text = f"{isolate(first)} gives the best zero-shot {study.score}, ahead of the runner-up {isolate(second)}."
    return [_claim(study, text, grid[first] - grid[second], f"zero-shot {study.score}, {isolate(first)} ahead by")]


def _early(study: Study) -> list[str]:
    """Select the settings that freeze early layers and do nothing else."""
    return [name for name in study.settings if name.startswith("early") and "lora" not in name and "+" not in name]


def _claim(study: Study, text: str, units: pd.Series, measure: str) -> Claim:
    """Measure a claim over seeds; `units` is by seed, or by source and seed."""
    rows = units.rename("value").reset_index().dropna(subset="value")
    sources = sorted(rows["source"].unique()) if "source" in rows else study.sources
    rows = rows if "source" in rows else rows.assign(source="")
    known = by_seed(rows.assign(claim=text), ["claim"])["value"].tolist()
    effect, left = t_interval(known), rows["seed"].nunique() - len(known)
    rest = f"; {', '.join(map(isolate, sources))} only" if sources != study.sources else ""
    rest += f"; {counted(left, 'seed')} without all source languages left out" if left else ""
    method = "Student's t over" if effect.known else "no interval:"
    how = f"{method} {counted(effect.n, 'seed')}{rest}"
    if effect.half == 0 and abs(effect.value) > ROUNDING:  # repeats of one run are no replicates
        effect = Interval(effect.value, nan, nan, effect.n)
        how = f"no interval: {counted(effect.n, 'seed')} gave the same to the last digit{rest}"
    return Claim(text, effect, measure, how, known)

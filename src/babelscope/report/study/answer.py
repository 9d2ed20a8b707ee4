"""The answer in words and key numbers: which layers to freeze, what that keeps, and what it costs."""

from collections import Counter
from collections.abc import Sequence

import pandas as pd

from babelscope.report.bidi import isolate
from babelscope.report.cards import Card
from babelscope.report.numbers import number, plus_minus, signed
from babelscope.report.runs import counted
from babelscope.report.study.claims import FAILS, HOLDS, Claim
from babelscope.report.study.directions import direction_of, lower_is_better
from babelscope.report.study.intervals import Interval, t_interval
from babelscope.report.study.replicates import Replicate
from babelscope.report.study.studies import Study, sources_words
from babelscope.report.study.tables import BASE, by_seed, pair_differences, ranked_settings, share_units
from babelscope.report.table import sort_layers
from babelscope.report.words import words_of


def answer_of(study: Study, values: pd.DataFrame, metric: str, best: Sequence[str]) -> str:
    """Say in a few sentences which setting transfers best, what it freezes and keeps, and how sure that is."""
    zero_shot = rank_settings(study, values)
    shared = share_units(values)
    if len(zero_shot) < 2:
        return "Nothing is ranked yet: no two settings have all seeds and source languages."
    first = next(iter(zero_shot))
    known = len(_intervals(shared, "zero_shot", study.score)) > 0
    what = "Best zero-shot" if known else "No other language was tested. Best source"
    said = f"{what} {study.score} here: {isolate(first)}{_frozen_words(study, first)}, {_plain(zero_shot[first])}"
    gain = _intervals(pair_differences(shared), "zero_shot", study.score)
    if first in gain:
        said += f"; run by run that is {signed(gain[first].value)} {_plus(gain[first])} against none"
    said += f" ({counted(zero_shot[first].n, 'seed')}{sources_words(study)})."
    kept = _intervals(shared, "kept", metric, "early")
    if first in kept:
        said += f" {words_of(metric).name} of its early layers changed by {signed(kept[first].value)}"
        said += f" (none: {signed(kept[BASE].value)})." if BASE in kept and first != BASE else "."
    behind = _intervals(pair_differences(shared, base=first), "zero_shot", study.score)
    close = [name for name in zero_shot if name in behind and _undecided(behind[name])]
    if close:
        said += f" Not told apart from it, run by run: {', '.join(map(isolate, close))}."
    if len(best) > 1:
        said += f" On the frontier of transfer and kept alignment: {', '.join(map(isolate, reversed(best)))}."
    if incomplete := [name for name in study.settings if name not in zero_shot]:
        said += f" Not ranked, as runs are missing: {', '.join(map(isolate, incomplete))}."
    return said


def key_numbers_of(study: Study, values: pd.DataFrame, metric: str, claims: Sequence[Claim]) -> list[Card]:
    """Choose the key numbers: best transfer, what it costs in the source language, kept alignment, claims that hold."""
    zero_shot = rank_settings(study, values)
    shared, cards = share_units(values), []
    if len(zero_shot) > 1:
        first, *others = zero_shot
        rest = ", ".join(f"{isolate(name)} {zero_shot[name].value:.2f}" for name in others[:3])
        what = "mean zero-shot" if _intervals(shared, "zero_shot", study.score) else "source"
        cards.append(Card(f"{zero_shot[first].value:.2f}", f"{what} {study.score} with {isolate(first)}", rest))
        cost = _intervals(pair_differences(shared), "source", study.score)
        if first in cost:
            note = f"{_plus(cost[first])}, {counted(cost[first].n, 'seed')}"
            cards.append(
                Card(number(cost[first].value, "+.2f"), f"source {study.score}, {isolate(first)} minus none", note)
            )
    kept, words = _intervals(shared, "kept", metric, "early"), words_of(metric)
    if BASE in kept:
        note = "since step 0, mean over the early third of the layers"
        cards.append(Card(number(kept[BASE].value, "+.2f"), f"change of early {words.name} without freezing", note))
    way = direction_of(metric)
    ranked = set(kept) & set(zero_shot) - {BASE}
    if frozen := sorted(ranked, key=lambda name: (-way * kept[name].value, study.settings.index(name))):
        note = "the setting that keeps most early alignment"
        if any(run.frozen_layers for run in study.runs if run.setting == frozen[0]):
            note += "; frozen layers keep theirs by construction"
        cards.append(
            Card(number(kept[frozen[0]].value, "+.2f"), f"change of early {words.name} with {isolate(frozen[0])}", note)
        )
    holds, fails = (sum(claim.verdict == verdict for claim in claims) for verdict in (HOLDS, FAILS))
    note = f"{fails} do not hold, {len(claims) - holds - fails} undecided"
    return [*cards, Card(f"{holds} of {len(claims)}", "claims hold in these runs", note)]


def rank_settings(study: Study, values: pd.DataFrame) -> dict[str, Interval]:
    """Rank the settings by mean zero-shot score, the best first; by source score where one language was tested.

    Means are over the units that all ranked settings share; settings that lack some are left out.
    """
    ranked, shared = ranked_settings(values), share_units(values)
    found = _intervals(shared, "zero_shot", study.score) or _intervals(shared, "source", study.score)
    way = 1 if lower_is_better(study.score) else -1
    known = [name for name in ranked if name in found]
    order = sorted(known, key=lambda name: (way * found[name].value, study.settings.index(name)))
    return {name: found[name] for name in order}


def _undecided(interval: Interval) -> bool:
    return interval.low <= 0 <= interval.high


def _intervals(values: pd.DataFrame, quantity: str, metric: str, part: str = "") -> dict[str, Interval]:
    chosen = values[(values["quantity"] == quantity) & (values["metric"] == metric) & (values["part"] == part)]
    return {
        str(setting): t_interval(group["value"]) for setting, group in by_seed(chosen, ["setting"]).groupby("setting")
    }


def _frozen_words(study: Study, setting: str) -> str:
    runs = [run for run in study.runs if run.setting == setting]
    parts = next((run.parts for run in runs if run.parts), [])
    held = [str(part["part"]) for part in parts if part["parameters"] and not part["trainable"]]
    numbers = [name.removeprefix("block ") for name in held if name.startswith("block ")]
    blocks = sorted(int(number) for number in numbers if number.isdecimal())
    named = [name.replace("_", " ") for name in held if not name.startswith("block ")]
    if blocks:
        whole = blocks == list(range(blocks[0], blocks[-1] + 1)) and len(blocks) > 1
        shown = f"{blocks[0]}-{blocks[-1]}" if whole else ", ".join(map(str, blocks))
        named.append(f"block{'s' if len(blocks) > 1 else ''} {shown}")
    said = [f"frozen: {', '.join(named)}"] if named else []
    said += [f"frozen during training: {watched}"] if (watched := _guarded_words(runs)) else []
    said = said or (["nothing frozen"] if parts else [])
    return f" ({'; '.join(said)})" if said else ""


def _guarded_words(runs: Sequence[Replicate]) -> str:
    """Say up to which layer a guard froze in how many runs; "" where there was none."""
    decided = [run.guard.loc[run.guard["metric"] == "guard_freeze", "layer"] for run in runs if len(run.guard)]
    highest = Counter(sort_layers(layers)[-1] for layers in decided if len(layers))
    said = [f"up to layer {layer} in {highest[layer]} of {len(runs)} runs" for layer in sort_layers(highest)]
    return ", ".join(said) or ("nothing" if decided else "")


def _plain(interval: Interval) -> str:
    return f"{number(interval.value)} {_plus(interval)}"


def _plus(interval: Interval) -> str:
    return plus_minus(interval.half) if interval.known else "(one seed, no interval)"

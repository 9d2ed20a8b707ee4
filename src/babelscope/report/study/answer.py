"""The answer in words and key numbers: which layers to freeze, what that keeps, and what it costs."""

from collections.abc import Sequence

import pandas as pd

from babelscope.report.cards import Card
from babelscope.report.study.claims import FAILS, HOLDS, Claim
from babelscope.report.study.html import signed
from babelscope.report.study.intervals import Interval, t_interval
from babelscope.report.study.tables import BASE, Study, lower_is_better, pair_differences, unit_noun
from babelscope.report.words import words_of


def answer_of(study: Study, values: pd.DataFrame, metric: str, best: Sequence[str]) -> str:
    """Say in a few sentences which setting transfers best, what it freezes and keeps, and how sure that is."""
    zero_shot = rank_settings(study, values)
    first = next(iter(zero_shot))
    said = f"Best zero-shot {study.score} here: {first}{_frozen_words(study, first)}, {_plain(zero_shot[first])}"
    gain = _intervals(pair_differences(values), "zero_shot", study.score)
    if first in gain:
        said += f"; run by run that is {signed(gain[first].value)} {_plus(gain[first])} against none"
    said += f" ({unit_noun(study, zero_shot[first].n)})."
    kept = _intervals(values, "kept", metric, "early")
    if first in kept:
        said += f" {words_of(metric).name} of its early layers changed by {signed(kept[first].value)}"
        said += f" (none: {signed(kept[BASE].value)})." if BASE in kept and first != BASE else "."
    behind = _intervals(pair_differences(values, base=first), "zero_shot", study.score)
    close = [name for name in zero_shot if name in behind and behind[name].low <= 0 <= behind[name].high]
    if close:
        said += f" Not told apart from it, run by run: {', '.join(close)}."
    if len(best) > 1:
        said += f" On the frontier of transfer and kept alignment: {', '.join(reversed(best))}."
    return said


def key_numbers_of(study: Study, values: pd.DataFrame, metric: str, claims: Sequence[Claim]) -> list[Card]:
    """Choose the key numbers: best transfer, what it costs in the source language, kept alignment, claims that hold."""
    zero_shot = rank_settings(study, values)
    first, *others = zero_shot
    rest = ", ".join(f"{name} {zero_shot[name].value:.2f}" for name in others[:3])
    cards = [Card(f"{zero_shot[first].value:.2f}", f"mean zero-shot {study.score} with {first}", rest)]
    cost = _intervals(pair_differences(values), "source", study.score)
    if first in cost:
        note = f"{_plus(cost[first])}, {cost[first].n} pair{'' if cost[first].n == 1 else 's'}"
        cards.append(Card(_short(cost[first].value), f"source {study.score}, {first} minus none", note))
    kept, words = _intervals(values, "kept", metric, "early"), words_of(metric)
    if BASE in kept:
        note = "since step 0, mean over the early third of the layers"
        cards.append(Card(_short(kept[BASE].value), f"change of early {words.name} without freezing", note))
    way = -1 if words.kind == "separability" else 1
    if frozen := sorted(set(kept) - {BASE}, key=lambda name: (-way * kept[name].value, study.settings.index(name))):
        note = "the setting that keeps most early alignment"
        cards.append(Card(_short(kept[frozen[0]].value), f"change of early {words.name} with {frozen[0]}", note))
    holds, fails = (sum(claim.verdict == verdict for claim in claims) for verdict in (HOLDS, FAILS))
    note = f"{fails} do not hold, {len(claims) - holds - fails} undecided"
    return [*cards, Card(f"{holds} of {len(claims)}", "claims hold in these runs", note)]


def rank_settings(study: Study, values: pd.DataFrame) -> dict[str, Interval]:
    """Rank the settings by mean zero-shot score, the best first; by source score where one language was tested."""
    found = _intervals(values, "zero_shot", study.score) or _intervals(values, "source", study.score)
    way = 1 if lower_is_better(study.score) else -1
    order = sorted(found, key=lambda name: (way * found[name].value, study.settings.index(name)))
    return {name: found[name] for name in order}


def _intervals(values: pd.DataFrame, quantity: str, metric: str, part: str = "") -> dict[str, Interval]:
    chosen = values[(values["quantity"] == quantity) & (values["metric"] == metric) & (values["part"] == part)]
    groups = chosen.dropna(subset="value").groupby("setting")["value"]
    return {str(setting): t_interval(group) for setting, group in groups}


def _frozen_words(study: Study, setting: str) -> str:
    parts = next((run.parts for run in study.runs if run.setting == setting and run.parts), [])
    if not parts:
        return ""
    held = [str(part["part"]) for part in parts if part["parameters"] and not part["trainable"]]
    numbers = [name.removeprefix("block ") for name in held if name.startswith("block ")]
    blocks = sorted(int(number) for number in numbers if number.isdecimal())
    named = [name.replace("_", " ") for name in held if not name.startswith("block ")]
    if blocks:
        whole = blocks == list(range(blocks[0], blocks[-1] + 1)) and len(blocks) > 1
        shown = f"{blocks[0]}-{blocks[-1]}" if whole else ", ".join(map(str, blocks))
        named.append(f"block{'s' if len(blocks) > 1 else ''} {shown}")
    return f" (frozen: {', '.join(named)})" if named else " (nothing frozen)"


def _plain(interval: Interval) -> str:
    return f"{interval.value:.3f} {_plus(interval)}"


def _plus(interval: Interval) -> str:
    return f"± {interval.half:.3f}" if interval.known else "(one run, no interval)"


def _short(value: float) -> str:
    return f"{round(value, 2) + 0.0:+.2f}".replace("-", "−")  # no negative zero

"""Key numbers: the few that answer what a reader came for."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from babelscope.report.bidi import isolate
from babelscope.report.comparable import differing, shorten, tested_as
from babelscope.report.numbers import number
from babelscope.report.runs import gather, labels
from babelscope.report.summary import best_layers, change_by_layer, settings_table
from babelscope.report.table import Run
from babelscope.report.words import layer_metrics, words_of


@dataclass(frozen=True)
class Card:
    """One key number."""

    value: str
    what: str
    note: str = ""


def key_numbers(runs: Sequence[Run]) -> list[Card]:
    """Choose the key numbers: the best scores, the layer that moved most, and where languages meet most."""
    rows, table = gather(runs), settings_table(runs)
    cards = [card for name in ("zero_shot", "test") if (card := _score(runs, table, name))]
    for metric in [metric for metric in layer_metrics(rows) if metric in ("ilo", "separability")]:
        apart = "; the runs are not comparable" if differing(runs, [metric]) else ""
        cards += _layers(rows, metric, several=len(labels(runs)) > 1, apart=apart)
    return cards


def _score(runs: Sequence[Run], table: pd.DataFrame, name: str) -> Card | None:
    """Rank the runs that were tested alike: in the same languages, on the same task, by the same score."""
    known = table.dropna(subset=[name])
    if known.empty:
        return None
    tested = pd.Series([tested_as(runs[place], name) for place in known.index], known.index)
    alike = tested == Counter(tested).most_common(1)[0][0]
    ranked, apart = known[alike], [isolate(label) for label in known.loc[~alike, "label"]]
    score = str(ranked["score"].iloc[0])
    ranked = ranked.sort_values(name, ascending=score == "loss", kind="stable")
    best, others = ranked.iloc[0], ranked.iloc[1:4]
    called = words_of(score).name
    what = f"mean zero-shot {called}" if name == "zero_shot" else f"test {called} in {isolate(best['source_language'])}"
    rest = ", ".join(f"{isolate(row['label'])} {row[name]:.2f}" for _, row in others.iterrows())
    notes = [f"with {isolate(best['label'])}" + (f" ({rest})" if rest else "")] if len(table) > 1 else []
    notes += [f"tested otherwise and not ranked with it: {shorten(apart)}"] if apart else []
    return Card(f"{best[name]:.2f}", what, "; ".join(notes))


def _layers(rows: pd.DataFrame, metric: str, *, several: bool, apart: str) -> list[Card]:
    name, changes = words_of(metric).name, change_by_layer(rows, metric).dropna()
    changes = changes[changes["change"] != 0]
    if len(changes):
        most = changes.iloc[int(changes["change"].abs().to_numpy().argmax())]
        where = f"layer {most['layer']}, {isolate(most['run'])}" if several else f"layer {most['layer']}"
        first, last = number(most["first"], ".2f"), number(most["last"], ".2f")
        note = f"from {first} to {last}: the layer that moved most ({where}){apart}"
        return [Card(number(most["change"], "+.2f"), f"change of {name}", note)]
    best = best_layers(rows, metric)
    if best.empty:
        return []
    top = best.iloc[int(best["highest"].to_numpy().argmax())]
    whose = f"{isolate(top['run'])}: " if several else ""
    note = f"{whose}lowest is {number(top['lowest'], '.2f')} in layer {top['lowest_layer']}{apart}"
    return [Card(number(top["highest"], ".2f"), f"highest {name}, in layer {top['highest_layer']}", note)]

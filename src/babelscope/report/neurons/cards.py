"""Key numbers of the page of neurons: of one model with their intervals, of several models from lowest to highest."""

from collections.abc import Mapping, Sequence
from math import isnan

from babelscope.report.cards import Card
from babelscope.report.neurons.numbers import limits, number
from babelscope.report.neurons.summary import Checkpoint, above_random, contrast, distinct, effects, model_value, trend
from babelscope.report.table import Run

MOST_NAMED = 3
"""More models are not named one by one."""


def neuron_cards(lines: Mapping[str, Sequence[Checkpoint]]) -> list[Card]:
    """Choose the key numbers: what every model knows at its last checkpoint, and how SADS went over training."""
    last = {name: distinct(line)[-1].run for name, line in lines.items()}
    trends = {name: trend(line, "sads") for name, line in lines.items()}
    cards = [
        _card(
            "LRDS: nearness of one language's sentences",
            {name: model_value(run, "lrds") for name, run in last.items()},
            {name: _alignment(run, "lrds") for name, run in last.items()},
        ),
        _card(
            "SADS: nearness of translations",
            {name: model_value(run, "sads") for name, run in last.items()},
            {name: _alignment(run, "sads", _at_start(lines[name])) for name, run in last.items()},
        ),
        _card(
            "nats per target, in a language whose own neurons are ablated",
            {name: float(effects(run)["own"].mean()) for name, run in last.items()},
            {name: _own(run) for name, run in last.items()},
            sign=True,
        ),
        _card(
            "rank correlation of SADS with training step",
            {name: found.value for name, found in trends.items()},
            {
                name: _told(limits(found.low, found.high, digits=2, sign=True), f"{found.n} distinct checkpoints")
                for name, found in trends.items()
            },
            digits=2,
            sign=True,
        ),
    ]
    return [card for card in cards if card]


def _card(
    what: str, values: Mapping[str, float], notes: Mapping[str, str], *, digits: int = 3, sign: bool = False
) -> Card | None:
    """Show one model's value with its note, or the range over models with those of each."""
    known = {name: value for name, value in values.items() if not isnan(value)}
    if not known:
        return None
    said = {name: number(value, digits=digits, sign=sign) for name, value in known.items()}
    ends = [said[name] for name in (min(known, key=known.__getitem__), max(known, key=known.__getitem__))]
    value = " to ".join(dict.fromkeys(ends))
    if len(values) == 1:
        return Card(value, what, notes[next(iter(known))])
    what = f"{what} ({len(known)} models)" if len(known) > 1 else what
    if len(known) > MOST_NAMED:
        return Card(value, what, f"lowest to highest of {len(known)} models")
    return Card(value, what, ". ".join(f"{name} {said[name]} ({notes[name]})" for name in known))


def _told(*parts: str) -> str:
    return "; ".join(filter(None, parts))


def _alignment(run: Run, metric: str, start: str = "") -> str:
    low, high, null_low, null_high = (
        model_value(run, f"{metric}{end}") for end in ("_low", "_high", "_null_low", "_null_high")
    )
    chance = limits(null_low, null_high)
    interval = limits(low, high)
    return _told(interval and f"95 %: {interval}", chance and f"chance {chance}", start)


def _at_start(line: Sequence[Checkpoint]) -> str:
    """SADS of the untrained model, where that was measured too."""
    start = line[0] if len(line) > 1 and line[0].step == 0 else None
    return f"step 0: {number(model_value(start.run, 'sads'))}" if start else ""


def _own(run: Run) -> str:
    table, over = effects(run), contrast(run, "random")
    if table.empty:
        return ""
    mean = table.mean()
    interval = limits(over.low, over.high, sign=True)
    return _told(
        f"mean; median {number(float(table['own'].median()), sign=True)}",
        above_random(run),
        f"random neurons {number(mean['random'], sign=True)}" if not isnan(mean["random"]) else "",
        f"other languages {number(mean['others'], sign=True)}" if not isnan(mean["others"]) else "",
        interval and f"own minus random {interval} over {over.n} languages",
    )

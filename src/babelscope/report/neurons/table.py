"""The tables of the page of neurons: one line per run, and one per trend."""

from collections.abc import Mapping, Sequence
from html import escape
from math import isnan, nan

from babelscope.report.neurons.measures import measures
from babelscope.report.neurons.numbers import limits, number
from babelscope.report.neurons.summary import (
    Checkpoint,
    above_random,
    contrast,
    criteria_of,
    criterion_label,
    distinct,
    effects,
    model_value,
    neuron_manifest,
    shares_nothing,
    trend,
)
from babelscope.report.study.intervals import Interval
from babelscope.report.table import THIRDS, Run
from babelscope.report.words import words_of

Cell = tuple[str, str]
"""A number, and what stands small below it."""


def numbers_html(names: Sequence[str], points: Sequence[Checkpoint]) -> str:
    """Render the main numbers of every run, regions in a table of their own; columns that no run fills are left out."""
    criteria = list(dict.fromkeys(name for point in points for name in criteria_of(point.run)))
    main = {
        "Whole model": ["LRDS", "SADS", "SADS, published stride"],
        "Loss when its neurons are ablated": ["own language", "above random", "minus random", "minus others"],
    }
    regions = {f"Regions by {criterion_label(name)}": ["neurons", "overlap", "by thirds"] for name in criteria}
    measured = any(not effects(point.run).empty for point in points)
    tables = (
        (main, [_alignments(point.run) + _losses(point.run) for point in points], _MAIN + _LOSSES * measured),
        (regions, [[cell for name in criteria for cell in _regions(point.run, name)] for point in points], _REGIONS),
    )
    return "".join(_table(names, points, *table) for table in tables)


_MAIN = (
    "Below a number: its 95 % interval, and what chance gives. LRDS and SADS: over sentences, and the range of "
    "relabelled sentences."
)
_LOSSES = (
    " Own language: mean loss increase (nats per target) when a language's own neurons are ablated; below: median, "
    "random neurons, other languages. Above random: languages whose own neurons cost more than random ones. "
    "Minus random, minus others: mean difference with its 95 % interval over languages."
)
_REGIONS = (
    "Regions: mean over languages, and, by z-score, of languages shuffled within every sentence. Overlap: of two "
    "languages, beside regions placed at random. By thirds: share of a language's neurons in early, middle and last "
    "blocks, beside that of all neurons."
)


def _table(
    names: Sequence[str],
    points: Sequence[Checkpoint],
    groups: Mapping[str, Sequence[str]],
    lines: Sequence[Sequence[Cell]],
    reading: str,
) -> str:
    """Render one table, without columns that no run fills; "" without any column."""
    filled = [any(line[place][0] for line in lines) for place in range(len(lines[0]))]
    heads: list[str] = []
    place, top = 0, ""
    for group, columns in groups.items():
        kept = [column for shift, column in enumerate(columns) if filled[place + shift]]
        place, heads = place + len(columns), heads + kept
        top += f'<th colspan="{len(kept)}">{escape(group)}</th>' if kept else ""
    if not heads:
        return ""
    rows = []
    for name, point, line in zip(names, points, lines, strict=True):
        same = f'<small class="down">same weights as {escape(point.same_as)}</small>' if point.same_as else ""
        cells = (cell for cell, shown in zip(line, filled, strict=True) if shown)
        rows.append(f'<tr><th scope="row">{escape(name)}{same}</th>{"".join(map(_cell, cells))}</tr>')
    second = "".join(f"<th>{escape(head)}</th>" for head in heads)
    return (
        '<div class="scroll"><table class="means pinned"><thead>'
        f'<tr><th rowspan="2">Run</th>{top}</tr><tr>{second}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
        f'<p class="reading">{reading}</p>'
    )


def trends_html(lines: Mapping[str, Sequence[Checkpoint]]) -> str:
    """Render the rank correlation of every measure with the training step; "" without four distinct checkpoints."""
    found = measures([point.run for line in lines.values() for point in line])
    rows = []
    for name, line in lines.items():
        values = [trend(line, metric) for metric in found]
        if all(isnan(value.value) for value in values):
            continue
        steps = [point for point in distinct(line) if point.step is not None]
        cells = "".join(_cell(_correlation(value)) for value in values)
        rows.append(f'<tr><th scope="row">{escape(name)}</th><td>{len(steps)} of {len(line)}</td>{cells}</tr>')
    if not rows:
        return ""
    head = "".join(f"<th>{escape(words_of(metric).name)}</th>" for metric in found)
    return (
        '<div class="scroll"><table class="means pinned"><thead><tr><th>Model</th><th>Checkpoints</th>'
        f"{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
        '<p class="reading">Spearman\'s rank correlation with the training step: +1 rises all the way, −1 falls all '
        "the way. It runs over distinct checkpoints of a known step: equal weights count once, and fewer "
        "than four have no trend. Below, from five on, the 95 % interval (Bonett and Wright 2000), which takes "
        "checkpoints for independent: read it as a rough one.</p>"
    )


def _alignments(run: Run) -> list[Cell]:
    return [_alignment(run, "lrds"), _alignment(run, "sads"), (number(model_value(run, "sads_legacy")), "")]


def _losses(run: Run) -> list[Cell]:
    table = effects(run)
    own = float(table["own"].mean())
    beside = {"median": table["own"].median(), "random": table["random"].mean(), "others": table["others"].mean()}
    below = [f"{kind} {number(value, sign=True)}" for kind, value in beside.items() if not isnan(value)]
    cells = [(number(own, sign=True), "\n".join(below)), (above_random(run).removesuffix(" above random"), "")]
    for against in ("random", "others"):
        found = contrast(run, against)
        cells.append((number(found.value, sign=True), limits(found.low, found.high, sign=True)))
    return cells


def _regions(run: Run, name: str) -> list[Cell]:
    empty = (neuron_manifest(run).get("empty") or {}).get(name) or []
    none = f"none: {', '.join(empty) if len(empty) < 3 else f'{len(empty)} languages'}" if empty else ""
    chance = _form(model_value(run, f"{name}_neurons_null"), "chance {:,.0f}")
    null = _thirds(run, name, "_null")
    return [
        (_form(model_value(run, f"{name}_neurons"), "{:,.0f}"), "\n".join(filter(None, (chance, none)))),
        _overlap(run, name),
        (_thirds(run, name), null and f"of all {null}"),
    ]


def _thirds(run: Run, criterion: str, end: str = "") -> str:
    shares = [model_value(run, f"{criterion}_share_{third}{end}") for third in THIRDS]
    return "" if any(map(isnan, shares)) else " / ".join(f"{share:.0%}" for share in shares)


def _alignment(run: Run, metric: str) -> Cell:
    low, high, null_low, null_high = (
        model_value(run, f"{metric}{end}") for end in ("_low", "_high", "_null_low", "_null_high")
    )
    chance = limits(null_low, null_high)
    below = (limits(low, high), chance and f"chance {chance}")
    return number(model_value(run, metric)), "\n".join(filter(None, below))


def _overlap(run: Run, criterion: str) -> Cell:
    """The mean over pairs of languages, with chance below."""
    rows = run.rows[(run.rows["language"] != run.rows["other"]) & (run.rows["language"] != "")]
    means = rows[rows["other"] != ""].groupby("metric")["value"].mean()
    value, chance = (float(means.get(f"{criterion}_overlap{end}", nan)) for end in ("", "_chance"))
    below = "by construction" if shares_nothing(run, criterion) else _form(chance, "chance {:.1%}")
    return _form(value, "{:.1%}"), below


def _cell(cell: Cell) -> str:
    value, below = cell
    small = "".join(f"<small>{escape(line)}</small>" for line in below.splitlines())
    return f"<td>{escape(value)}{small}</td>"


def _correlation(found: Interval) -> Cell:
    return number(found.value, digits=2, sign=True), limits(found.low, found.high, digits=2, sign=True)


def _form(value: float, form: str) -> str:
    return "" if isnan(value) else form.format(value)

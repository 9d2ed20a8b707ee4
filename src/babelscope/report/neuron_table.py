"""The tables of the page of neurons: one line per run, and one per trend."""

from collections.abc import Mapping, Sequence
from html import escape
from math import isnan, nan

from babelscope.report.growth_panels import measures
from babelscope.report.neuron_summary import (
    Checkpoint,
    contrast,
    criteria_of,
    distinct,
    effects,
    facts,
    said,
    trend,
    whole,
)
from babelscope.report.neuron_words import THIRDS_WORDS
from babelscope.report.study.intervals import Interval
from babelscope.report.table import Run
from babelscope.report.words import words_of

Cell = tuple[str, str]
"""A number, and what stands small below it."""


def numbers_html(names: Sequence[str], points: Sequence[Checkpoint]) -> str:
    """Render the main numbers of every run; columns that no run fills are left out."""
    criteria = list(dict.fromkeys(name for point in points for name in criteria_of(point.run)))
    groups = {"Whole model": ["LRDS", "SADS", "SADS, released stride"]}
    groups |= {f"Regions by {said(name)}": ["neurons", "overlap", "by thirds"] for name in criteria}
    groups["Loss without its own region"] = ["own language", "minus random", "minus others"]
    lines = [_line(point.run, criteria) for point in points]
    filled = [any(line[place][0] for line in lines) for place in range(len(lines[0]))]
    heads: list[str] = []
    place, top = 0, ""
    for group, columns in groups.items():
        kept = [column for shift, column in enumerate(columns) if filled[place + shift]]
        place, heads = place + len(columns), heads + kept
        top += f'<th colspan="{len(kept)}">{escape(group)}</th>' if kept else ""
    rows = []
    for name, point, line in zip(names, points, lines, strict=True):
        same = f'<small class="down">same weights as {escape(point.same_as)}</small>' if point.same_as else ""
        cells = (cell for cell, shown in zip(line, filled, strict=True) if shown)
        rows.append(f'<tr><th scope="row">{escape(name)}{same}</th>{"".join(map(_cell, cells))}</tr>')
    second = "".join(f"<th>{escape(head)}</th>" for head in heads)
    return (
        '<div class="scroll"><table class="means"><thead>'
        f'<tr><th rowspan="2">Run</th>{top}</tr><tr>{second}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
        '<p class="reading">Below a number: its 95 % interval, and what chance gives. LRDS and SADS: over sentences, '
        "and the range of relabelled sentences. Regions: mean over languages, and, by z-score, of languages shuffled "
        "within every sentence; overlap: of two languages, beside regions placed at random; by thirds: share of a "
        "language's neurons in first, middle and last blocks, beside that of all neurons. Loss: change in nats per target, mean over languages, with random neurons off and in "
        "other languages; minus those, with the interval over languages.</p>"
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
        cells = "".join(_cell((_signed(value.value, 2), _range(value))) for value in values)
        rows.append(f'<tr><th scope="row">{escape(name)}</th><td>{len(steps)} of {len(line)}</td>{cells}</tr>')
    if not rows:
        return ""
    head = "".join(f"<th>{escape(words_of(metric).name)}</th>" for metric in found)
    return (
        '<div class="scroll"><table class="means"><thead><tr><th>Model</th><th>Checkpoints</th>'
        f"{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
        '<p class="reading">Spearman\'s rank correlation with the training step: +1 rises all the way, −1 falls all '
        "the way. It runs over distinct checkpoints of a known step: equal weights count once, and fewer "
        "than four have no trend. Below, from five on, the 95 % interval (Bonett and Wright 2000), which takes "
        "checkpoints for independent: read it as a rough one.</p>"
    )


def _line(run: Run, criteria: Sequence[str]) -> list[Cell]:
    cells = [_alignment(run, "lrds"), _alignment(run, "sads"), (_number(whole(run, "sads_legacy")), "")]
    for name in criteria:
        empty = (facts(run).get("empty") or {}).get(name) or []
        none = f"none: {', '.join(empty) if len(empty) < 3 else f'{len(empty)} languages'}" if empty else ""
        chance = _form(whole(run, f"{name}_neurons_null"), "chance {:,.0f}")
        cells.append((_form(whole(run, f"{name}_neurons"), "{:,.0f}"), "\n".join(filter(None, (chance, none)))))
        cells.append(_overlap(run, name))
        cells.append((_thirds(run, name), (null := _thirds(run, name, "_null")) and f"of all {null}"))
    mean = effects(run).mean()
    beside = {"random": mean["random"], "others": mean["others"]}
    below = [f"{kind} {_signed(value)}" for kind, value in beside.items() if not isnan(value)]
    cells.append((_signed(mean["own"]), "\n".join(below)))
    for against in beside:
        difference = contrast(run, against)
        cells.append((_signed(difference.value), _range(difference, 3)))
    return cells


def _thirds(run: Run, criterion: str, end: str = "") -> str:
    shares = [whole(run, f"{criterion}_share_{third}{end}") for third in THIRDS_WORDS]
    return "" if any(map(isnan, shares)) else " / ".join(f"{share:.0%}" for share in shares)


def _alignment(run: Run, metric: str) -> Cell:
    low, high, null_low, null_high = (
        whole(run, f"{metric}{end}") for end in ("_low", "_high", "_null_low", "_null_high")
    )
    chance = "" if isnan(null_low) else f"chance {_number(null_low)} to {_number(null_high)}"
    interval = "" if isnan(low) else f"{_number(low)} to {_number(high)}"
    return _number(whole(run, metric)), "\n".join(filter(None, (interval, chance)))


def _overlap(run: Run, criterion: str) -> Cell:
    """The mean over pairs of languages, with chance below."""
    rows = run.rows[(run.rows["language"] != run.rows["other"]) & (run.rows["language"] != "")]
    means = rows[rows["other"] != ""].groupby("metric")["value"].mean()
    value, chance = (float(means.get(f"{criterion}_overlap{end}", nan)) for end in ("", "_chance"))
    return _form(value, "{:.1%}"), _form(chance, "chance {:.1%}")


def _cell(cell: Cell) -> str:
    value, below = cell
    small = "".join(f"<small>{escape(line)}</small>" for line in below.splitlines())
    return f"<td>{escape(value)}{small}</td>"


def _range(interval: Interval, digits: int = 2) -> str:
    if not interval.known or interval.high - interval.low < 10**-digits:  # as of a correlation of exactly 1
        return ""
    return f"{_signed(interval.low, digits)} to {_signed(interval.high, digits)}"


def _signed(value: float, digits: int = 3) -> str:
    return "" if isnan(value) else f"{value:+.{digits}f}".replace("-", "−")


def _number(value: float) -> str:
    return _form(value, "{:.3f}").replace("-", "−")


def _form(value: float, form: str) -> str:
    return "" if isnan(value) else form.format(value)

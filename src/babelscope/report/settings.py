"""The table of settings in HTML: alignment by depth before and after, and what the task gained."""

from collections.abc import Iterator, Sequence
from html import escape

import pandas as pd

from babelscope.report.comparable import say_differing, targets_of
from babelscope.report.conditions import say_also
from babelscope.report.last_steps import say_early
from babelscope.report.numbers import number
from babelscope.report.summary import by_layer, settings_table
from babelscope.report.table import THIRDS, Run

HEADS = {"ilo": "ILO", "separability": "Separability"}


def settings_html(runs: Sequence[Run]) -> str:
    """Render the table of settings; columns for which no run has a value are left out, "" if none has any."""
    table = settings_table(runs)
    groups = {
        head: [third for third in THIRDS if table[f"{metric}_{third}_last"].notna().any()]
        for metric, head in HEADS.items()
    }
    scores = {
        str(score): [name for name in ("validation", "test", "zero_shot") if of_score[name].notna().any()]
        for score, of_score in table[table["score"] != ""].groupby("score")
    }
    scores = {score: names for score, names in scores.items() if names}
    if not scores and not any(groups.values()):
        return ""
    top = "".join(f'<th colspan="{len(names)}">{head}</th>' for head, names in groups.items() if names)
    top += "".join(f'<th colspan="{len(names)}">{escape(score.capitalize())}</th>' for score, names in scores.items())
    words = {"validation": "source, validation", "test": "source, test", "zero_shot": "zero-shot mean"}
    second = "".join(f"<th>{third}</th>" for names in groups.values() for third in names)
    second += "".join(f"<th>{words[name]}</th>" for names in scores.values() for name in names)
    # what was measured once has not changed by 0
    moved = [{metric for metric in HEADS if by_layer(run.rows, metric)["step"].nunique() > 1} for run in runs]
    rows = [_row(row, groups, scores, of) for of, (_, row) in zip(moved, table.iterrows(), strict=True)]
    heads = [head for head, names in groups.items() if names]
    zero_shot = any("zero_shot" in names for names in scores.values())
    return (
        '<div class="scroll"><table><thead>'
        f'<tr><th rowspan="2">Setting</th>{top}</tr><tr>{second}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
        f'<p class="reading">{" ".join(_notes(runs, heads, zero_shot=zero_shot, moved=any(moved)))}</p>'
    )


def _notes(runs: Sequence[Run], heads: Sequence[str], *, zero_shot: bool, moved: bool) -> Iterator[str]:
    if heads:
        named = " and ".join([heads[0], *map(str.lower, heads[1:])])
        twice = ", at the first and at the last measured step, with the change below" if moved else ""
        yield f"{named}: mean over a third of the layers (the final norm left out) and all languages{twice}."
    if zero_shot:
        yield "Zero-shot is the unweighted mean over all languages but the source."
        if len({tuple(found) for run in runs if (found := targets_of(run))}) > 1:
            yield "The runs were not all tested in the same languages, so these means do not rank them."
    if said := say_also(runs):
        yield f"<b>{escape(said)}</b>"
    if heads and (said := say_differing(runs, HEADS)):
        yield f"<b>{escape(said)}</b>"
    if heads and (said := say_early(runs)):
        yield f"<b>{escape(said)}</b>"


def _row(row: pd.Series, groups: dict[str, list[str]], scores: dict[str, list[str]], moved: set[str]) -> str:
    cells = [f'<th scope="row">{escape(str(row["label"]))}</th>']
    cells += [
        _change(row[f"{metric}_{third}_first"], row[f"{metric}_{third}_last"], moved=metric in moved)
        for metric, head in HEADS.items()
        for third in groups[head]
    ]
    cells += [
        f'<td class="score">{number(row[name], ".2f") if row["score"] == score else ""}</td>'
        for score, names in scores.items()
        for name in names
    ]
    return f"<tr>{''.join(cells)}</tr>"


def _change(first: float, last: float, *, moved: bool) -> str:
    if pd.isna(last):
        return "<td></td>"
    if not moved:
        return f"<td>{number(last, '.2f')}</td>"
    change = last - first
    shown = number(change, "+.2f")
    way = {"+": "up", "−": "down"}.get(shown[:1], "even")
    return f'<td>{number(first, ".2f")} <i>→</i> {number(last, ".2f")}<small class="{way}">{shown}</small></td>'

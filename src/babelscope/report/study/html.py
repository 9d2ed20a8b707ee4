"""The tables of a study in HTML: settings with intervals, claims with verdicts, decisions of the guard, runs."""

import base64
from collections.abc import Sequence
from html import escape
from os.path import commonpath
from pathlib import Path

import pandas as pd

from babelscope.report.bidi import isolate
from babelscope.report.conditions import describe_differing, differing_conditions
from babelscope.report.figures.guard import frozen_up_to
from babelscope.report.numbers import number, plus_minus, signed
from babelscope.report.runs import counted
from babelscope.report.study.claims import FAILS, HOLDS, Claim
from babelscope.report.study.directions import direction_of, lower_is_better
from babelscope.report.study.studies import Study, missing_units, repeated_units, say_ends, tested_languages
from babelscope.report.study.tables import BASE, row_of
from babelscope.report.table import THIRDS
from babelscope.report.words import words_of


def settings_html(
    study: Study,
    table: pd.DataFrame,
    languages: pd.DataFrame,
    differences: pd.DataFrame,
    *,
    metric: str,
    best: Sequence[str],
    ranked: Sequence[str],
) -> str:
    """Render one row per setting: means with intervals, what differs from the setting none, and whether runs lack.

    Args:
        study: the study.
        table: `summarise` of its values.
        languages: `summarise_languages` of its values by language.
        differences: `summarise` of its paired differences.
        metric: the alignment score.
        best: settings on the frontier, marked.
        ranked: settings that lack no runs; the others are marked.
    """
    score, name = study.score, words_of(metric).name
    kept = [(f"{third}", ("kept", metric, third)) for third in THIRDS if metric]
    keys = [("source", ("source", score, "")), ("zero-shot", ("zero_shot", score, "")), *kept]
    compared = [("source", keys[0][1]), ("zero-shot", keys[1][1]), *kept[:1]] if len(differences) else []
    top = f'<th colspan="2">{score.capitalize()}</th>'
    top += f'<th colspan="{len(kept)}">Change of {escape(name)} since step 0</th>' if kept else ""
    top += f'<th colspan="{len(compared)}">Minus none, run by run</th>' if compared else ""
    heads = "".join(f"<th>{head}</th>" for head, _ in [*keys, *compared])
    rows = []
    for setting in study.settings:
        mark = '<small class="up">on the frontier</small>' if setting in best else ""
        mark += "" if setting in ranked else f'<small class="down">{_incomplete(study, setting)}</small>'
        cells = [f'<th scope="row">{escape(isolate(setting))}{mark}</th>', f"<td>{_units(study, table, setting)}</td>"]
        cells += [_mean_cell(table, languages, setting, key) for _, key in keys]
        cells += [_difference_cell(differences, setting, key, lower_is_better(score)) for _, key in compared]
        rows.append(f"<tr>{''.join(cells)}</tr>")
    return (
        '<div class="scroll"><table class="means"><thead>'
        f'<tr><th rowspan="2">Setting</th><th rowspan="2">n</th>{top}</tr><tr>{heads}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def claims_html(claims: Sequence[Claim]) -> str:
    """Render claims with their effect, interval, n and verdict, and a small picture of the interval."""
    rows = []
    for claim in claims:
        way = {HOLDS: "up", FAILS: "down"}.get(claim.verdict, "even")
        rows.append(
            f'<tr><th scope="row">{escape(claim.text)}<small>{escape(claim.measure)}</small></th>'
            f'<td class="verdict {way}">{claim.verdict}</td><td>{_picture(claim)}</td>'
            f"<td><b>{signed(claim.effect.value)}</b><small>{_limits(claim)}</small></td>"
            f"<td>{claim.effect.n}<small>{escape(claim.how)}</small></td></tr>"
        )
    return (
        '<div class="scroll"><table class="claims"><thead><tr><th>Claim</th><th>Verdict</th>'
        "<th>Effect (right of the line supports the claim)</th><th>Effect, 95 % interval</th><th>n</th></tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def guard_html(study: Study) -> str:
    """Render the decisions of the guard, run by run; "" where no run had one that decided."""
    rows = []
    for run in study.runs:
        decisions = run.guard[run.guard["metric"] == "guard_freeze"].sort_values("step", kind="stable")
        for _, row in decisions.iterrows():
            cells = [
                run.setting,
                run.source,
                run.seed,
                f"{row['step']}",
                frozen_up_to(row["layer"]),
                f"step {row['value']:.0f}",
            ]
            rows.append("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>")
    if not rows:
        return ""
    heads = ("Setting", "Fine-tuned on", "Seed", "Decided at step", "Frozen from then on", "Weights put back to")
    head = "".join(f"<th>{name}</th>" for name in heads)
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
        '<p class="reading">Every decision of every run: layers up to the named one went back to the weights of the '
        "named step and stayed there.</p>"
    )


def runs_html(study: Study) -> str:
    """Render the runs with their folders, folded up, and what is missing or left out, in the open."""
    root = Path(commonpath([run.folder.absolute() for run in [*study.runs, *study.left_out]]))
    rows = []
    for run in [*study.runs, *study.left_out]:
        own, others = run.tests.get(run.source, float("nan")), run.tests.drop(run.source, errors="ignore")
        folder = str(run.folder.absolute().relative_to(root))
        cells = [run.setting, run.source, run.seed, number(own), number(others.mean()), folder]
        cells[3] = cells[3] if run.finished else "unfinished"
        rows.append("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>")
    heads = ("Setting", "Fine-tuned on", "Seed", f"Source {study.score}", f"Zero-shot {study.score}", "Folder")
    head = "".join(f"<th>{name}</th>" for name in heads)
    table = f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
    return f"{_gaps(study)}<details><summary>All {counted(len(rows), 'run')}</summary>{table}</details>"


def csv_link(name: str, table: pd.DataFrame) -> str:
    """Offer a table as a file; it is in the page itself."""
    content = base64.b64encode(table.to_csv(index=False, float_format="%.6g").encode()).decode()
    return f'<a class="download" download="{name}.csv" href="data:text/csv;base64,{content}">{name}.csv</a>'


def _gaps(study: Study) -> str:
    missing = missing_units(study)
    lines = []
    if study.left_out:
        lines.append(f"Left out of all means: {len(study.left_out)} not finished or without test scores.")
    if ends := say_ends(study):
        lines.append(ends)
    if differing := differing_conditions([run.conditions for run in study.runs]):
        lines.append(
            "These runs differ in more than setting, seed and source language, so differences between them may come "
            f"from that as well. {'. '.join(describe_differing(differing))}."
        )
    if apart := tested_languages(study)[1]:
        lines.append(f"Zero-shot is over the languages that all runs tested. Left out of it: {', '.join(apart)}.")

    if len(missing):
        units = [_unit(row.setting, row.source, row.seed) for row in missing.itertuples()]
        more = f" and {len(units) - 12} more" if len(units) > 12 else ""
        lines.append(
            f"Without a finished run: {', '.join(units[:12])}{more}. A setting that lacks runs "
            "which none has (without none: which most settings have) is shown and marked incomplete, but not ranked."
        )
    if repeated := repeated_units(study):
        units = [_unit(*unit) for unit in repeated]
        lines.append(
            f"Several runs have the same setting, source and seed and count as one, their mean: {', '.join(units[:6])}"
            f"{', ...' if len(units) > 6 else ''}. If they differ in something else, report them apart."
        )
    text = "".join(f'<p class="reading gap">{escape(line)}</p>' for line in lines)
    return text or '<p class="reading">The sweep is complete: every setting has every source language and seed.</p>'


def _unit(setting: object, source: object, seed: object) -> str:
    return f"{isolate(setting)} / {isolate(source)} / seed {seed}"


def _incomplete(study: Study, setting: str) -> str:
    sources = sorted({run.source for run in study.runs if run.setting == setting})
    only = f"; {', '.join(map(isolate, sources))} only" if sources != study.sources else ""
    return escape(f"incomplete, not ranked{only}")


def _units(study: Study, table: pd.DataFrame, setting: str) -> str:
    """Say n: seeds that have all source languages, and from how many runs."""
    found = table.loc[table["setting"] == setting, "n"]
    runs = sum(run.setting == setting for run in study.runs)
    return f"{int(found.max()) if len(found) else 0}<small>{counted(runs, 'run')}</small>"


def _mean_cell(table: pd.DataFrame, languages: pd.DataFrame, setting: str, key: tuple[str, str, str]) -> str:
    row, spread = row_of(table, setting, key), row_of(languages, setting, key)
    if row is None:
        return "<td></td>"
    mean = signed(row["mean"]) if key[0] == "kept" else number(row["mean"])
    over = ""
    if spread is not None and pd.notna(spread["half"]):
        over = f"<small>{plus_minus(spread['half'])} <i>lang.</i></small>"
    return f"<td><b>{mean}</b><small>{plus_minus(row['half']) or 'no interval'}</small>{over}</td>"


def _difference_cell(table: pd.DataFrame, setting: str, key: tuple[str, str, str], down: bool) -> str:
    row = row_of(table, setting, key)
    if row is None:
        return f'<td class="even">{"baseline" if setting == BASE else ""}</td>'
    better = direction_of(key[1]) if key[0] == "kept" else -1 if down else 1
    low, high = sorted(better * (row["mean"] + side * row["half"]) for side in (-1, 1))
    way = "up" if low > 0 else "down" if high < 0 else "even"
    pairs = f"<small>{counted(row['n'], 'seed')}</small>"
    half = plus_minus(row["half"]) or "no interval"
    return f'<td><b class="{way}">{signed(row["mean"])}</b><small>{half}</small>{pairs}</td>'


def _picture(claim: Claim) -> str:
    """Draw an interval with its units and the line at 0 as a small picture."""
    effect = claim.effect
    shown = [0.0, effect.value, *([effect.low, effect.high] if effect.known else []), *claim.units]
    low, high = min(shown), max(shown)
    span = (high - low) or 1.0

    def at(value: float) -> str:
        return f"{8 + 204 * (value - low) / span:.1f}"

    dots = "".join(f'<circle class="unit" cx="{at(value)}" cy="15" r="2.5"/>' for value in claim.units[:60])
    bar = f'<path class="bar" d="M{at(effect.low)} 15H{at(effect.high)}"/>' if effect.known else ""
    label = f"effect {signed(effect.value)}, interval {_limits(claim)}"
    mean = f'<circle class="mean" cx="{at(effect.value)}" cy="15" r="5"/>'
    return (
        f'<svg class="interval" viewBox="0 0 220 30" role="img" aria-label="{escape(label)}">'
        f'<path class="zero" d="M{at(0)} 2V28"/>{dots}{bar}{mean}</svg>'
    )


def _limits(claim: Claim) -> str:
    effect = claim.effect
    return f"{signed(effect.low)} to {signed(effect.high)}" if effect.known else "no interval"

"""The page of token tables: key numbers, figures, and a neighbour explorer, in one file without a network."""

import json
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from babelscope.files import write_text
from babelscope.report.bidi import isolate
from babelscope.report.cards import Card
from babelscope.report.frame import fill_page, footer_html, header_html, joined, tabs_html
from babelscope.report.page import cards_html, details_html, embed_json, panel_html, section_html
from babelscope.report.table import Run
from babelscope.report.tokens.panels import compare_tables, show_table
from babelscope.report.tokens.summary import name_of, names_of, numbers_at, pair_table, place_of, token_table, value_of


def write_tokens_page(runs: Sequence[Run], path: Path) -> Path:
    """Write the page of one token table or several, whole.

    Raises:
        ValueError: no run is of a token table.
        OSError: the file cannot be written.
    """
    return write_text(path, render_tokens(runs))


def is_of_tokens(run: Run) -> bool:
    """Whether `babelscope tokens` made a run: of one table, or of pairs."""
    return "token_table" in run.manifest or "token_tables" in run.manifest


def render_tokens(runs: Sequence[Run]) -> str:
    """Render the page as HTML that loads nothing from elsewhere.

    Raises:
        ValueError: no run is of a token table.
    """
    tables = [run for run in runs if "token_table" in run.manifest and len(run.rows)]
    pairs = [run for run in runs if "token_tables" in run.manifest and len(run.rows)]
    if not tables:
        raise ValueError("Expected argument `runs` to hold a run of babelscope tokens, but got none; run that first.")
    explorers = [_read_explorer(run) for run in tables]
    several = len(tables) > 1
    where = f"{len(tables)} tables of token embeddings" if several else f"{name_of(tables[0])}'s token embeddings"
    title = f"Script and translation structure in {where}"
    compared = "Tables compared" if several else "Script probe and neighbours"
    between = "".join(_table(pair_table(run), _between(run, several=len(pairs) > 1)) for run in pairs)
    sections = [
        _header(tables, title),
        cards_html(_cards(tables)),
        section_html("explorer", "Neighbour explorer", _explorer(tables, explorers)),
        section_html("numbers", "In numbers", _table(token_table(tables), _NOTE) + between),
        section_html("comparison", compared, "".join(map(panel_html, compare_tables(tables, pairs)))),
        section_html("runs", "Table by table", _tabs(tables, explorers)),
        footer_html(", but for those marked as published (Wen-Yi &amp; Mimno 2023)."),
    ]
    return fill_page(title, sections, styles=("style", "explorer"), scripts=("page", "explorer"))


_NOTE = (
    "Indented lines are what chance gives, or the spread, of the line above. Below the tokens in use: what was left "
    "out of every measure, as it has no label, no direction or no token. The probe tells one script from all others on "
    "as many tokens of either side, so guessing scores 50 %."
)


def _between(run: Run, *, several: bool) -> str:
    return "Between two tables, on the tokens that both have" + (f" ({place_of(run)})" if several else "")


def _read_explorer(run: Run) -> dict[str, Any] | None:
    file = run.folder / "explorer.json"
    try:
        return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None
    except (ValueError, OSError) as error:
        raise ValueError(f"Expected {file} to be readable, but got: {error}; run babelscope tokens again.") from error


def _header(tables: Sequence[Run], title: str) -> str:
    return header_html(title, joined(map(_facts, names_of(tables), tables)))


def _facts(name: str, run: Run) -> dict[str, str]:
    tensor = run.manifest.get("tensor") or {}
    tied = {True: "tied to the output", False: "not tied", None: "tied or not: unknown"}[tensor.get("tied")]
    labels = {"script": "Unicode scripts", "legacy": "those of Wen-Yi & Mimno 2023"}
    return {
        "Tables": f"{name} {tensor.get('rows', 0):,} × {tensor.get('width', 0)}, {tied}",
        "Labels": labels.get(str(run.manifest.get("labels")), ""),
        "Tokens labelled otherwise by Wen-Yi & Mimno 2023": f"{run.manifest.get('label_changes', 0):,}",
        "Revision": str(run.manifest.get("revision") or ""),
    }


def _cards(tables: Sequence[Run]) -> list[Card]:
    """Key numbers, each of the table that has the highest, with chance beside it."""
    chosen = [
        (
            "script_probe",
            "{:.1%}",
            "accuracy of telling one script from the rest (mean over scripts)",
            "script_probe_shuffled",
        )
    ]
    chosen += [
        (f"neighbour_scripts@{k}", "{:.1f}", f"scripts among {k} neighbours", f"neighbour_scripts_null@{k}")
        for k in _least(tables, "neighbour_scripts@")
    ]
    chosen += [
        (f"translation_p@{k}", "{:.0%}", f"translation P@{k}", f"translation_null@{k}")
        for k in _least(tables, "translation_p@")
    ]
    cards, named = [], list(zip(names_of(tables), tables, strict=True))
    for metric, form, what, null in chosen:
        known = [(value, name, run) for name, run in named if (value := value_of(run, metric)) is not None]
        if not known:
            continue
        value, name, run = max(known, key=lambda found: found[0])
        low = min(known, key=lambda found: found[0])
        chance = value_of(run, null)
        notes = [name, f"chance {form.format(chance)}" if chance is not None else ""]
        if low[1] != name:
            notes.append(f"lowest: {form.format(low[0])} in {low[1]}")
        cards.append(Card(form.format(value), what, "; ".join(filter(None, notes))))
    return cards


def _least(tables: Sequence[Run], metric: str) -> list[int]:
    """The smallest number of neighbours at which any table was measured, if one was."""
    return sorted({k for run in tables for k in numbers_at(run, metric)})[:1]


def _table(values: Any, note: str) -> str:
    head = "".join(f"<th>{escape(str(name))}</th>" for name in values.columns)
    lines = []
    for name, row in zip(values.index, values.to_numpy(), strict=True):
        under = ' class="under"' if str(name).startswith(" ") else ""
        cells = "".join(f"<td>{escape(str(value))}</td>" for value in row)
        lines.append(f"<tr><th{under}>{escape(str(name).strip())}</th>{cells}</tr>")
    body = "".join(lines)
    table = (
        f"<table><thead><tr><th>{escape(str(values.index.name))}</th>{head}</tr></thead><tbody>{body}</tbody></table>"
    )
    return f'<div class="scroll tokens">{table}</div><p class="reading">{escape(note)}</p>'


def _explorer(tables: Sequence[Run], explorers: Sequence[dict[str, Any] | None]) -> str:
    """The explorer's form with its data; explorer.js fills it."""
    found = [(name, explorer) for name, explorer in zip(names_of(tables), explorers, strict=True) if explorer]
    if not found:
        return ""
    keys = ("scripts", "pieces", "script", "tokens", "near", "cosine", "translation")
    data = [{"name": name, **{key: explorer[key] for key in keys}} for name, explorer in found]
    return (
        '<article class="explorer"><p class="reading">Type a token, or a part of one, in any script. Its nearest '
        "tokens stand below with script and cosine, one column per table; a translation by the dictionary is marked ✓. "
        f"Sampled tokens and dictionary words only: {len(data[0]['tokens']):,} in {escape(data[0]['name'])}. "
        'The mark ▁ stands where a word begins.</p><form class="search"><input type="search" '
        'list="explorer-tokens" placeholder="a token" aria-label="Token" autocomplete="off" spellcheck="false">'
        '<button type="button">another</button></form><div class="matches" aria-label="Matching tokens"></div>'
        '<div class="columns" aria-live="polite"></div>'
        f'<script type="application/json">{embed_json(data)}</script></article>'
    )


def _tabs(tables: Sequence[Run], explorers: Sequence[dict[str, Any] | None]) -> str:
    names = names_of(tables)
    bodies = [
        "".join(map(panel_html, show_table(run, name, explorer))) + _examples(explorer) + details_html(run)
        for run, name, explorer in zip(tables, names, explorers, strict=True)
    ]
    return tabs_html("Table", names, bodies)


def _examples(explorer: dict[str, Any] | None, most: int = 24) -> str:
    """A few words with their nearest words of the target language, spread over the pairs."""
    examples = (explorer or {}).get("examples") or []
    if not examples:
        return ""
    shown = examples[:: max(1, len(examples) // most)][:most]
    rows = "".join(
        f"<tr><td>{escape(' → '.join(example['pair']))}</td><th>{escape(example['word'])}</th>"
        f"<td>{escape(', '.join(map(isolate, example['gold'])))}</td><td>"
        + ", ".join(
            f"<b>{escape(isolate(word))} ✓</b> {cosine:.2f}" if hit else f"{escape(isolate(word))} {cosine:.2f}"
            for word, cosine, hit in example["near"]
        )
        + "</td></tr>"
        for example in shown
    )
    head = "<tr><th>pair</th><th>word</th><th>dictionary</th><th>nearest words of the target language, cosine</th></tr>"
    return (
        f'<details><summary>Translations: {len(shown)} examples</summary><div class="scroll"><table>'
        f"<thead>{head}</thead><tbody>{rows}</tbody></table></div></details>"
    )

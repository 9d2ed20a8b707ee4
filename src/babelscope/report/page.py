"""The page: one self-contained HTML file that shows one run or several, without a network."""

import json
from collections.abc import Sequence
from dataclasses import replace
from html import escape, unescape
from pathlib import Path

import plotly.graph_objects as go
import yaml
from plotly.utils import PlotlyJSONEncoder

from babelscope.files import write_text
from babelscope.report.cards import Card, key_numbers
from babelscope.report.comparable import say_alone, say_depths, say_differing
from babelscope.report.comparison_panels import compare_runs
from babelscope.report.conditions import say_also
from babelscope.report.downstream import downstream_html
from babelscope.report.figures.marks import legend_html
from babelscope.report.frame import fill_page, footer_html, header_html, joined, tabs_html
from babelscope.report.last_steps import say_unfinished
from babelscope.report.panels import Figure, Panel, show_run
from babelscope.report.runs import baseline_first, facts_of, gather, labels, model_names
from babelscope.report.settings import settings_html
from babelscope.report.table import Run
from babelscope.report.words import layer_metrics


def write_page(runs: Sequence[Run], path: Path, *, downstream: Sequence[Run] = ()) -> Path:
    """Write the page of one run or several, whole; `downstream` are runs of `babelscope evaluate`, shown apart.

    Raises:
        ValueError: there is no run, or none has rows.
        OSError: the file cannot be written.
    """
    return write_text(path, render(runs, downstream))


def render(runs: Sequence[Run], downstream: Sequence[Run] = ()) -> str:
    """Render the page of one run or several as HTML that loads nothing from elsewhere.

    Raises:
        ValueError: there is no run, or none has rows.
    """
    runs = baseline_first([run for run in runs if len(run.rows)])
    tasks = section_html("downstream", "Downstream tasks", downstream_html(downstream))
    if not runs and not tasks:
        raise ValueError("Expected argument `runs` to hold a run with rows, but got none; finish a run first.")
    title = _title(runs) if runs else "Downstream tasks"
    sections = [
        _header(runs, title),
        *(_sections(runs) if runs else []),
        tasks,
        footer_html(),
    ]
    return fill_page(title, sections, styles=("style",), scripts=("page",))


def _sections(runs: Sequence[Run]) -> list[str]:
    unfinished = say_unfinished(runs)
    # only layer by layer are pairs of languages shown, which are most of all rows
    alone = [replace(run, rows=run.rows[run.rows["other"] == ""]) for run in runs]
    return [
        unfinished and f'<p class="reading"><b>{escape(unfinished)}</b></p>',
        cards_html(key_numbers(alone)),
        section_html("summary", "Before and after" if _steps(runs) > 1 else "At a glance", settings_html(alone)),
        section_html("comparison", "Comparison" if len(runs) > 1 else "Training", _comparison(alone)),
        section_html("runs", "Layer by layer", _tabs(runs)),
    ]


def _comparison(runs: Sequence[Run]) -> str:
    """Show the runs together, and say first where that is no fair comparison."""
    shown, apart = "".join(map(panel_html, compare_runs(runs))), [say_differing(runs), say_depths(runs)]
    alone = say_alone(runs, layer_metrics(gather(runs))) if any(apart) else ""
    said = " ".join(filter(None, [say_also(runs), *apart]))
    return f'<p class="reading"><b>{escape(said)}</b> {escape(alone)}</p>{shown}' if said else shown


def _title(runs: Sequence[Run]) -> str:
    facts = _facts(runs)
    models = list(dict.fromkeys(fact["Model"] for fact in facts if "Model" in fact))
    number = max(int(fact.get("Languages", "0")) for fact in facts)
    where = models[0] if len(models) == 1 else f"{len(models)} models" if models else "one model"
    if not any((run.rows["layer"] != "").any() for run in runs):
        return f"Training of {where}"
    return f"{where}: how {number} languages align, layer by layer" if number > 1 else f"{where}, layer by layer"


def _facts(runs: Sequence[Run]) -> list[dict[str, str]]:
    """Say in words what each run is of, with models of one name told apart."""
    named = zip(runs, model_names(runs), strict=True)
    return [facts_of(run) | ({"Model": model} if model else {}) for run, model in named]


def _steps(runs: Sequence[Run]) -> int:
    return max(run.rows["step"].nunique() for run in runs)


def _header(runs: Sequence[Run], title: str) -> str:
    named = joined(_facts(runs))
    if len(runs) > 1:
        named["Runs"] = f"{len(runs)}: {', '.join(labels(runs)[:6])}{', ...' if len(runs) > 6 else ''}"
    return header_html(title, named)


def cards_html(cards: Sequence[Card]) -> str:
    """Show key numbers; "" without any."""
    shown = "".join(
        f'<div class="card"><strong>{escape(card.value)}</strong>'
        f"<span>{escape(card.what)}</span><em>{escape(card.note)}</em></div>"
        for card in cards
    )
    return shown and f'<section class="cards" aria-label="Key numbers">{shown}</section>'


def section_html(name: str, title: str, body: str) -> str:
    """Head a part of the page; one without a body is left out."""
    return body and f'<section id="{name}"><h2>{escape(title)}</h2>{body}</section>'


def _tabs(runs: Sequence[Run]) -> str:
    return tabs_html("Run", labels(runs), ["".join(map(panel_html, show_run(run))) + details_html(run) for run in runs])


def details_html(run: Run) -> str:
    """Show configuration and manifest of a run, folded up."""
    texts = {"Configuration (run.yaml)": yaml.safe_dump(dict(run.config), sort_keys=False, allow_unicode=True)}
    if run.manifest:
        texts["What was measured (manifest.json)"] = json.dumps(run.manifest, indent=2, ensure_ascii=False)
    return "".join(
        f"<details><summary>{name}</summary><pre>{escape(text)}</pre></details>" for name, text in texts.items()
    )


def panel_html(panel: Panel) -> str:
    """Write a panel with its figures as data, which page.js draws."""
    head = f'<h3>{escape(panel.title)}</h3><p class="reading">{escape(panel.reading)}</p>{legend_html(panel.legend)}'
    return (
        f'<article class="panel {panel.shape}">{head}'
        '<form class="choices"></form><p class="reading note"></p><div class="figures"></div>'
        f'<script type="application/json">{_data(panel)}</script></article>'
    )


def _data(panel: Panel) -> str:
    """Serialise a panel for a script element, where "<" could end it."""
    value = {
        "choices": [vars(choice) for choice in panel.choices],
        "views": {key: [_figure(figure) for figure in figures] for key, figures in panel.views.items()},
    }
    return embed_json(value)


def embed_json(value: object) -> str:
    """Serialise a value for a script element."""
    text = json.dumps(value, cls=PlotlyJSONEncoder, separators=(",", ":"), ensure_ascii=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _figure(figure: Figure) -> dict[str, object]:
    """Take a figure apart: the page sets the title as a caption and gives the template by its theme."""
    parts = figure.to_plotly_json() if isinstance(figure, go.Figure) else figure
    layout = dict(parts["layout"])
    layout.pop("template", None)
    caption = unescape(layout.pop("title", {}).get("text", ""))
    return {"caption": caption, "data": parts["data"], "layout": layout}

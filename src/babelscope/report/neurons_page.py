"""The page of neurons: alignment, regions, life without them and their growth, in one file without a network."""

from collections.abc import Mapping, Sequence
from math import isnan
from pathlib import Path

from babelscope.report.cards import Card
from babelscope.report.files import write_text
from babelscope.report.frame import fill_page, header_html, tabs_html
from babelscope.report.growth_panels import compare_models
from babelscope.report.neuron_panels import show_neurons
from babelscope.report.neuron_summary import (
    Checkpoint,
    contrast,
    criteria_of,
    distinct,
    effects,
    facts,
    lines_of,
    plain,
    said,
    shape_of,
    trend,
    whole,
)
from babelscope.report.neuron_table import numbers_html, trends_html
from babelscope.report.neuron_words import THIRDS_WORDS
from babelscope.report.page import cards_html, details_html, panel_html, section_html
from babelscope.report.runs import facts_of, labels, model_of
from babelscope.report.table import Run


def is_of_neurons(run: Run) -> bool:
    """Whether `babelscope neurons` made a run."""
    return "neurons" in run.manifest


def write_neurons_page(runs: Sequence[Run], path: Path) -> Path:
    """Write the page of one model's neurons, or of several models' or checkpoints', whole.

    Raises:
        ValueError: no run is of neurons.
        OSError: the file cannot be written.
    """
    return write_text(path, render_neurons(runs))


def render_neurons(runs: Sequence[Run]) -> str:
    """Render the page as HTML that loads nothing from elsewhere.

    Raises:
        ValueError: no run is of neurons.
    """
    runs = [plain(run) for run in runs if is_of_neurons(run) and len(run.rows)]
    if not runs:
        raise ValueError("Expected argument `runs` to hold a run of babelscope neurons, but got none; run that first.")
    lines = lines_of(runs)
    points = [point for line in lines.values() for point in reversed(line)]  # what a reader came for is the last
    runs = [point.run for point in points]
    names = labels(runs) if len(runs) > 1 else list(lines)
    models = list(dict.fromkeys(model_of(run) or run.folder.name for run in runs))
    title = f"The neurons of {models[0] if len(models) == 1 else f'{len(models)} models'}, language by language"
    sections = [
        _header(points, title),
        cards_html(_cards(lines)),
        section_html("numbers", "In numbers", numbers_html(names, points) + trends_html(lines)),
        section_html("growth", "Growth", "".join(map(panel_html, compare_models(lines)))),
        section_html("runs", "Run by run" if len(runs) > 1 else "In pictures", _tabs(names, runs)),
        "<footer>Made by Babelscope from the rows in <code>results/*.parquet</code>; every number here was measured "
        "in these runs. Scores and regions after Zeng et al. 2025, LAPE after Tang et al. 2024; how they are made: "
        "<code>docs/methods.md</code>.</footer>",
    ]
    return fill_page(title, sections, styles=("style", "study"), scripts=("page",))


def _header(points: Sequence[Checkpoint], title: str) -> str:
    named: dict[str, list[str]] = {}
    for point in points:
        known, of = facts_of(point.run), facts(point.run)
        layers, neurons = shape_of(point.run)
        found, measured = of.get("found_on"), of.get("measured_on")
        told = {
            "Model": known.get("Model", ""),
            "Neurons": f"{layers} × {neurons:,}, {str(of.get('reading', '')).replace('_', ' ')}",
            "Corpus": str((point.run.manifest.get("corpus") or {}).get("name") or ""),
            "Languages": known.get("Languages", ""),
            "Regions from": f"{found} sentences per language" if found else "",
            "Life without them on": f"{measured} others" if measured else "",
        }
        for name, value in told.items():
            named.setdefault(name, []).append(value)
    if len(points) > 1:
        repeated = sum(bool(point.same_as) for point in points)
        named["Runs"] = [f"{len(points)}{f', {repeated} with weights that were there before' if repeated else ''}"]
    joined = {name: "; ".join(filter(None, dict.fromkeys(values))) for name, values in named.items()}
    return header_html(title, joined)


def _cards(lines: Mapping[str, Sequence[Checkpoint]]) -> list[Card]:
    """Key numbers, each of the model (at its last checkpoint) that has the highest."""
    last = {name: distinct(line)[-1].run for name, line in lines.items()}
    cards = [
        _alignment(last, "lrds", "LRDS: nearness of one language's sentences"),
        _alignment(last, "sads", "SADS: nearness of translations"),
        _own(last),
        _trend(lines) or _place(last),
    ]
    return [card for card in cards if card]


def _best(values: Mapping[str, float]) -> str:
    """The name of the highest value; "" without one."""
    known = {name: value for name, value in values.items() if not isnan(value)}
    return max(known, key=lambda name: known[name], default="")


def _alignment(last: Mapping[str, Run], metric: str, what: str) -> Card | None:
    values = {name: whole(run, metric) for name, run in last.items()}
    if not (best := _best(values)):
        return None
    low, high, null_low, null_high = (
        whole(last[best], f"{metric}{end}") for end in ("_low", "_high", "_null_low", "_null_high")
    )
    notes = [
        "" if isnan(low) else f"{low:.3f} to {high:.3f} (95 %)",
        "" if isnan(null_low) else f"chance {null_low:.3f} to {null_high:.3f}",
        *([best, f"lowest: {min(values.values()):.3f}"] if len(last) > 1 else []),
    ]
    return Card(_minus(f"{values[best]:.3f}"), what, _minus("; ".join(filter(None, notes))))


def _own(last: Mapping[str, Run]) -> Card | None:
    tables = {name: effects(run).mean() for name, run in last.items()}
    if not (best := _best({name: float(table["own"]) for name, table in tables.items()})):
        return None
    mean, over = tables[best], contrast(last[best], "random")
    notes = [
        f"random neurons {mean['random']:+.3f}" if not isnan(mean["random"]) else "",
        f"other languages {mean['others']:+.3f}" if not isnan(mean["others"]) else "",
        f"own minus random {over.low:+.3f} to {over.high:+.3f} over {over.n} languages" if over.known else "",
        best if len(last) > 1 else "",
    ]
    note = _minus("; ".join(filter(None, notes)))
    return Card(_minus(f"{mean['own']:+.3f}"), "nats per target, in a language whose own region is off", note)


def _place(last: Mapping[str, Run]) -> Card | None:
    """The third where regions crowd most, by the first criterion that a model has."""
    shares = {
        (name, criterion, third): whole(run, f"{criterion}_share_{third}")
        for name, run in last.items()
        for criterion in criteria_of(run)[:1]
        for third in THIRDS_WORDS
    }
    known = {key: share for key, share in shares.items() if not isnan(share)}
    if not known:
        return None
    name, criterion, third = max(known, key=lambda key: known[key])
    notes = [f"{whole(last[name], f'{criterion}_share_{third}_null'):.0%} of all neurons lie there"]
    notes += [
        f"{said(other)}: {whole(last[name], f'{other}_share_{third}'):.0%}" for other in criteria_of(last[name])[1:]
    ]
    notes += [name] if len(last) > 1 else []
    what = f"of a language's {said(criterion)} neurons lie in the {THIRDS_WORDS[third]} third"
    return Card(f"{known[name, criterion, third]:.0%}", what, "; ".join(notes))


def _trend(lines: Mapping[str, Sequence[Checkpoint]]) -> Card | None:
    trends = {name: trend(line, "sads") for name, line in lines.items()}
    if not (best := _best({name: value.value for name, value in trends.items()})):
        return None
    notes = [f"over {trends[best].n} distinct checkpoints", *([best] if len(lines) > 1 else [])]
    return Card(_minus(f"{trends[best].value:+.2f}"), "rank correlation of SADS with training step", "; ".join(notes))


def _minus(text: str) -> str:
    return text.replace("-", "−")


def _tabs(names: Sequence[str], runs: Sequence[Run]) -> str:
    return tabs_html("Run", names, ["".join(map(panel_html, show_neurons(run))) + details_html(run) for run in runs])

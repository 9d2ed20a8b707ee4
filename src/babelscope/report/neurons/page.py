"""The page of neurons: alignment, regions, their ablation and their growth, in one file without a network."""

from collections.abc import Sequence
from pathlib import Path

from babelscope.files import write_text
from babelscope.report.frame import fill_page, footer_html, header_html, joined, tabs_html
from babelscope.report.neurons.cards import neuron_cards
from babelscope.report.neurons.growth import compare_models
from babelscope.report.neurons.panels import show_neurons
from babelscope.report.neurons.summary import Checkpoint, lines_of, neuron_manifest, shape_of, without_reading
from babelscope.report.neurons.table import numbers_html, trends_html
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
    runs = [without_reading(run) for run in runs if is_of_neurons(run) and len(run.rows)]
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
        cards_html(neuron_cards(lines)),
        section_html("numbers", "In numbers", numbers_html(names, points) + trends_html(lines)),
        section_html("growth", "Growth", "".join(map(panel_html, compare_models(lines)))),
        section_html("runs", "Run by run" if len(runs) > 1 else "Figures", _tabs(names, runs)),
        footer_html(
            ". Scores and regions after Zeng et al. 2025, LAPE after Tang et al. 2024; how they are made: "
            "<code>docs/methods.md</code>."
        ),
    ]
    return fill_page(title, sections, styles=("style", "study"), scripts=("page",))


def _header(points: Sequence[Checkpoint], title: str) -> str:
    named = joined(_facts(point.run) for point in points)
    if len(points) > 1:
        repeated = sum(bool(point.same_as) for point in points)
        named["Runs"] = f"{len(points)}{f', {repeated} with weights that were there before' if repeated else ''}"
    return header_html(title, named)


def _facts(run: Run) -> dict[str, str]:
    known, of = facts_of(run), neuron_manifest(run)
    layers, neurons = shape_of(run)
    found, measured = of.get("found_on"), of.get("measured_on")
    return {
        "Model": known.get("Model", ""),
        "Neurons": f"{layers} × {neurons:,}, {str(of.get('reading', '')).replace('_', ' ')}",
        "Corpus": str((run.manifest.get("corpus") or {}).get("name") or ""),
        "Languages": known.get("Languages", ""),
        "Regions from": f"{found} sentences per language" if found else "",
        "Ablation measured on": f"{measured} others" if measured else "",
    }


def _tabs(names: Sequence[str], runs: Sequence[Run]) -> str:
    return tabs_html("Run", names, ["".join(map(panel_html, show_neurons(run))) + details_html(run) for run in runs])

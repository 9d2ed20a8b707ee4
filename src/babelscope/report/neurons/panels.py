"""Panels of the page of neurons that show one run."""

from collections.abc import Sequence
from dataclasses import replace
from math import isnan

from babelscope.report.figures.layers import draw_curves
from babelscope.report.figures.matrices import draw_matrix
from babelscope.report.figures.neurons import draw_agreement, draw_alignment, draw_regions
from babelscope.report.figures.places import draw_places
from babelscope.report.neurons.ablation import loss_matrix, own, under_ablation
from babelscope.report.neurons.summary import (
    by_language,
    by_layer_and,
    by_pair,
    criteria_of,
    criterion_label,
    highest_shared,
    over_layers,
    shares_nothing,
    threshold_of,
)
from babelscope.report.panels import Choice, Panel
from babelscope.report.table import Run
from babelscope.report.words import words_of

ALIGNMENT = ("lrds", "sads")


def show_neurons(run: Run) -> list[Panel]:
    """Make the panels of one run; those without rows are left out."""
    panels = [
        _alignment(run),
        _pairs(run),
        _regions(run),
        _places(run),
        _overlaps(run),
        _agreement(run),
        loss_matrix(run),
        own(run),
        *under_ablation(run),
    ]
    return [panel for panel in panels if panel and panel.views]


def _alignment(run: Run) -> Panel | None:
    metrics = [metric for metric in ALIGNMENT if len(over_layers(run, metric))]
    views = {"0": [draw_alignment(run, metric) for metric in metrics]} if metrics else {}
    step = int(run.rows["step"].max())
    spread = [name for name in metrics if not by_layer_and(run, name, "language").empty]
    choices = []
    if spread:
        views["1"] = [draw_curves(run.rows, metric, step) for metric in spread]
        choices = [Choice("Show", ["mean with interval and chance", "every language"])]
    elif views:
        views = {"": views["0"]}
    return Panel(
        "Language (LRDS) and meaning (SADS) by layer",
        "LRDS: mean cosine within a language minus across languages (never translations). SADS: mean cosine of "
        "translations minus that of unrelated sentences in the same two languages. Blue band: 95 % interval over "
        "sentences. Grey band: range under shuffled labels. Dotted: whole model.",
        views,
        choices,
        "pairs",
    )


def _pairs(run: Run) -> Panel | None:
    grid = by_pair(run, "sads")
    if grid.empty:
        return None
    return Panel(
        "Which languages share meanings",
        "How much nearer translations lie than other sentences of the same two languages, in the whole model. "
        "Languages are grouped by writing system.",
        {"": [draw_matrix(grid, "SADS of every two languages", "%{y} and %{x}: %{z:+.3f}", digits="+.2f")]},
        shape="square",
    )


def _regions(run: Run) -> Panel | None:
    criteria = [name for name in criteria_of(run) if not by_layer_and(run, f"{name}_neurons", "language").empty]
    views = {
        f"{place},{share}": [draw_regions(run, name, share=bool(share))]
        for place, name in enumerate(criteria)
        for share in range(2)
    }
    return Panel(
        "Where each language has its neurons",
        "The first block is at the bottom. The two criteria ask different things, so they need not agree: the z-score "
        "of Zeng et al. 2025 looks at how strongly sentences activate a neuron, LAPE at how often tokens do.",
        views,
        [_criterion_choice(criteria), Choice("Show", ["number", "share of the language's own"])],
        "narrow",
    )


def _places(run: Run) -> Panel | None:
    criteria = [name for name in criteria_of(run) if len(by_language(run, f"{name}_share_early"))]
    return Panel(
        "Depth of each language's neurons",
        "Each mark is a language: how much of its region lies in a third of the blocks; those far from the others are "
        "named. A blue line above the dashed one means that regions crowd there. Small regions scatter widely.",
        {"": [draw_places(run, name) for name in criteria]} if criteria else {},
        shape="pairs",
    )


def _overlaps(run: Run) -> Panel | None:
    found = [name for name in criteria_of(run) if not by_pair(run, f"{name}_overlap").empty]
    criteria = [name for name in found if not shares_nothing(run, name)]
    views = {}
    for place, name in enumerate(criteria):
        grid, chance = by_pair(run, f"{name}_overlap"), by_pair(run, f"{name}_overlap_chance")
        chance = chance.reindex(index=grid.index, columns=grid.columns)
        for code in set(grid.index) & set(grid.columns):
            grid.at[code, code] = float("nan")
        beside = chance.map(lambda value: f"by chance {value:.2%}" if value >= 0 else "")
        hover = "%{y} and %{x}: %{z:.1%} in common<br>%{customdata}"
        head = f"Neurons in common by {criterion_label(name)} (share of the neurons of either"
        views[f"{place},0"] = [draw_matrix(grid, f"{head})", hover, notes=beside, colours="other", digits=".1%")]
        views[f"{place},1"] = [
            draw_matrix(
                grid - chance, f"{head}, minus chance)", hover.replace(".1%", "+.1%"), notes=beside, digits="+.1%"
            )
        ]
    left_out = f" {_pulled_apart(run)} It is left out." if len(criteria) < len(found) else ""
    choice = _criterion_choice(criteria)
    notes = [
        f"{note} {_pulled_apart(run)}" if name == "z" else note
        for name, note in zip(criteria, choice.notes, strict=True)
    ]
    return Panel(
        "Which languages share neurons",
        "The neurons that two regions have in common, as a share of the neurons in either. Chance places regions of "
        f"the same sizes per layer at random. Languages are grouped by writing system.{left_out}",
        views,
        [replace(choice, notes=notes), Choice("Show", ["in common", "minus chance"])],
        "square",
    )


def _pulled_apart(run: Run) -> str:
    """Say what the z-score alone does to overlap: languages that share a neuron lower each other's score."""
    highest, threshold = highest_shared(run), threshold_of(run)
    if isnan(threshold):
        return "Two languages in one neuron lower each other's z-score, which pulls overlap below chance."
    beyond = "so overlap is 0 by construction." if shares_nothing(run, "z") else "which pulls overlap below chance."
    return (
        f"By z-score, two of these languages can both reach {highest:.2f} at most in one neuron, and a key neuron "
        f"exceeds {threshold:g}, {beyond}"
    )


def _agreement(run: Run) -> Panel | None:
    criteria = criteria_of(run)
    pairs = [(a, b) for a in criteria for b in criteria if (by_language(run, f"{a}_{b}_overlap_chance") > 0).any()]
    return Panel(
        "Do the criteria find the same neurons?",
        "Each dot is a language: the neurons that both criteria give it, as a share of the neurons that either does. "
        "The grey stroke is chance. Languages without a region by one of the two are left out.",
        {"": [draw_agreement(run, *pair) for pair in pairs]} if pairs else {},
        shape="pairs" if len(pairs) > 1 else "narrow",
    )


def _criterion_choice(criteria: Sequence[str]) -> Choice:
    notes = [words_of(f"{name}_neurons").reading for name in criteria]
    return Choice("Criterion", [criterion_label(name) for name in criteria], notes=notes)

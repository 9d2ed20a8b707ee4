"""Panels of the page of token tables."""

from collections.abc import Sequence
from typing import Any

from babelscope.report.figures.token_deciles import draw_deciles
from babelscope.report.figures.token_pairs import draw_angles, draw_shared
from babelscope.report.figures.tokens import (
    draw_counts,
    draw_map,
    draw_probe,
    draw_scripts,
    draw_translations,
)
from babelscope.report.panels import Choice, Panel
from babelscope.report.table import Run
from babelscope.report.tokens.summary import numbers_at, pairs_of, place_of


def compare_tables(tables: Sequence[Run], pairs: Sequence[Run]) -> list[Panel]:
    """Make the panels that show all tables together; those without rows are left out."""
    several = len(pairs) > 1
    between = [panel for run in pairs for panel in (_shared(run, several=several), _angles(run, several=several))]
    panels = [_probe(tables), _counts(tables), _deciles(tables), *between]
    return [panel for panel in panels if panel and panel.views]


def show_table(run: Run, name: str, explorer: dict[str, Any] | None) -> list[Panel]:
    """Make the panels of one table; those without rows are left out."""
    panels = [_map(name, explorer), _scripts(run), _translations(run)]
    return [panel for panel in panels if panel and panel.views]


def _probe(tables: Sequence[Run]) -> Panel | None:
    ends = sorted(
        {
            name.removeprefix("script_probe")
            for run in tables
            for name in run.rows["metric"].unique()
            if name.startswith("script_probe/pca") or name == "script_probe"
        }
    )
    figures = [figure for end in ends if (figure := draw_probe(tables, end))]
    if not figures:
        return None
    drawn_often = any(name.startswith("script_probe_low") for run in tables for name in run.rows["metric"].unique())
    return Panel(
        "Script probe: accuracy per script",
        "One linear probe per script, on as many tokens of it as of all others, cross-validated. Near 100 %, a "
        f"hyperplane sets the script apart. {'Thin bars: 95 % interval over draws. ' if drawn_often else ''}Grey marks "
        "are controls, near 50 %: the same probe on a Gaussian table and on shuffled labels (mean over the models).",
        {"": figures},
    )


def _counts(tables: Sequence[Run]) -> Panel | None:
    numbers = sorted({k for run in tables for k in numbers_at(run, "neighbour_scripts@")})
    if not numbers:
        return None
    return Panel(
        "Number of scripts among a token's neighbours",
        "Few scripts: a token's neighbours write as it does. Many: the table is ordered by something else. Dashed "
        "lines say how many scripts as many random tokens would have.",
        {str(place): [draw_counts(tables, k)] for place, k in enumerate(numbers)},
        [Choice("Neighbours", [str(k) for k in numbers])],
    )


def _deciles(tables: Sequence[Run]) -> Panel | None:
    numbers = sorted({k for run in tables for k in numbers_at(run, "neighbour_scripts_decile@")})
    if not numbers:
        return None
    return Panel(
        "Are neighbours of rare tokens others than those of frequent ones?",
        "The tokens that occur where they were counted, sorted by their counts and cut into tenths: how many scripts "
        "are among the neighbours of the sampled tokens of each. At 0, the tokens that do not occur. Rare tokens are "
        "little trained, so they may lie together whatever they write. The dashed line is chance for the sample as a "
        "whole, not for each tenth, whose scripts differ.",
        {str(place): [draw_deciles(tables, k)] for place, k in enumerate(numbers)},
        [Choice("Neighbours", [str(k) for k in numbers])],
    )


def _shared(run: Run, *, several: bool) -> Panel | None:
    figure = draw_shared(run, pairs_of(run))
    if figure is None:
        return None
    return Panel(
        "Which tokens do two tables share?" + (f" ({place_of(run)})" if several else ""),
        "The tokens that both vocabularies have, by the first one's labels. Neighbours in common and angles are "
        "measured on these tokens alone, so they say little of scripts that are rare here.",
        {"": [figure]},
    )


def _angles(run: Run, *, several: bool) -> Panel | None:
    figure = draw_angles(run, pairs_of(run))
    if figure is None:
        return None
    return Panel(
        "Do two tables span the same space?" + (f" ({place_of(run)})" if several else ""),
        "Canonical angles between the columns of two tables on the tokens that both have: 1 is a direction that both "
        "have in common. Uncentred, the mean row is one such direction (solid); centred, it is taken out (dotted). "
        "The cross is what the first angle is for two random tables of the same sizes.",
        {"": [figure]},
    )


def _map(name: str, explorer: dict[str, Any] | None) -> Panel | None:
    if not explorer:
        return None
    return Panel(
        "The table as a map",
        "Each point is a token, coloured by its script. Two dimensions of many: what is apart here is apart, what "
        "lies together may not be.",
        {"": [draw_map(explorer, name)]},
    )


def _scripts(run: Run) -> Panel | None:
    numbers = numbers_at(run, "neighbour_share@")
    return Panel(
        "Scripts among the neighbours of each script's tokens",
        "Each row is a script: the shares of scripts among the neighbours of its tokens. A dark diagonal means "
        "scripts keep to themselves; a dark column is a script that is everyone's neighbour. Largest scripts first.",
        {str(place): [draw_scripts(run, k)] for place, k in enumerate(numbers)},
        [Choice("Neighbours", [str(k) for k in numbers])],
        "square",
    )


def _translations(run: Run) -> Panel | None:
    metrics = [f"translation_p@{k}" for k in numbers_at(run, "translation_p@")]
    if not metrics:
        return None
    metrics.append("translation_coverage")
    names = [metric.removeprefix("translation_").replace("p@", "P@") for metric in metrics]
    return Panel(
        "Are neighbours translations?",
        "P@k: share of the words for which one of the k nearest words of the other language is a translation by the "
        "dictionary. Only words that the vocabulary covers count; coverage says what share of the dictionary "
        "that is. Languages are grouped by script.",
        {str(place): [draw_translations(run, metric)] for place, metric in enumerate(metrics)},
        [Choice("Score", names)],
        "square",
    )

"""Panels of several checkpoints of a model, and of several models, on the page of neurons."""

from collections.abc import Mapping, Sequence

from babelscope.report.figures.growth import draw_depths, draw_growth, draw_growth_layers
from babelscope.report.neurons.measures import measures
from babelscope.report.neurons.summary import Checkpoint, distinct, model_value, over_layers
from babelscope.report.panels import Choice, Panel, metric_choice


def compare_models(lines: Mapping[str, Sequence[Checkpoint]]) -> list[Panel]:
    """Make the panels of growth and of several models; those without rows are left out."""
    grown = {name: line for name, line in lines.items() if len(distinct(line)) > 1}
    panels = [_growth(grown), _growth_layers(grown), _depths(lines)]
    return [panel for panel in panels if panel and panel.views]


def _growth(lines: Mapping[str, Sequence[Checkpoint]]) -> Panel | None:
    runs = [point.run for line in lines.values() for point in line]
    metrics = [name for name in measures(runs) if any(model_value(run, name) == model_value(run, name) for run in runs)]
    if not metrics:
        return None
    repeated = any(point.same_as for line in lines.values() for point in line)
    return Panel(
        "Scores over pre-training checkpoints",
        "Each line is one model, each mark a checkpoint, the whole model taken together; thin bars are 95 % intervals "
        "over sentences. "
        + ("A hollow mark has the weights of an earlier checkpoint, so it is no measurement of its own. " * repeated)
        + "Steps stand evenly spaced, whatever lies between them.",
        {str(place): [draw_growth(lines, metric)] for place, metric in enumerate(metrics)},
        [metric_choice(metrics, "Measure")],
        legend=list(lines),
    )


def _growth_layers(lines: Mapping[str, Sequence[Checkpoint]]) -> Panel | None:
    runs = [point.run for line in lines.values() for point in line]
    metrics = [name for name in measures(runs) if any(len(over_layers(run, name)) for run in runs)]
    views = {
        f"{place},{change}": draw_growth_layers(lines, metric, change=bool(change))
        for place, metric in enumerate(metrics)
        for change in range(2)
    }
    return Panel(
        "Scores by block over pre-training checkpoints",
        "The first block is at the bottom, training goes from left to right; checkpoints with weights that were there "
        "before are left out. Models side by side have the same colours; two-sided ones are pale at 0.",
        views,
        [metric_choice(metrics, "Measure"), Choice("Show", ["value", "change since the first checkpoint"])],
        "pairs",
    )


def _depths(lines: Mapping[str, Sequence[Checkpoint]]) -> Panel | None:
    if len(lines) < 2:
        return None
    last = {name: distinct(line)[-1].run for name, line in lines.items()}
    metrics = [name for name in measures(list(last.values())) if any(len(over_layers(r, name)) for r in last.values())]
    return Panel(
        "Models compared by relative depth",
        "Each line is one model at its last checkpoint, from its first block to its last.",
        {str(place): [draw_depths(last, metric)] for place, metric in enumerate(metrics)},
        [metric_choice(metrics, "Measure")],
        legend=list(last),
    )

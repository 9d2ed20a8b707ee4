"""What `babelscope neurons` shows in the terminal."""

from collections.abc import Sequence
from textwrap import fill

from babelscope.report.neurons.numbers import in_brackets, limits, number
from babelscope.report.neurons.summary import (
    by_language,
    by_layer_and,
    contrast,
    criteria_of,
    criterion_label,
    effects,
    model_value,
    over_layers,
    without_reading,
)
from babelscope.report.runs import counted
from babelscope.report.table import Run
from babelscope.verbs.terminal.console import console
from babelscope.verbs.terminal.folding import fold


def print_neurons(run: Run) -> None:
    """Print the blocks, the regions, and what ablating each costs."""
    run = without_reading(run)
    criteria = criteria_of(run)
    _print_layers(run, criteria)
    _print_effects(run)
    for name in criteria:
        _print_sizes(run, name)


def _print_layers(run: Run, criteria: Sequence[str]) -> None:
    counts = {name: by_layer_and(run, f"{name}_neurons", "language").mean(axis=1) for name in criteria}
    shared = {metric: over_layers(run, metric) for metric in ("lrds", "sads")}
    shared = {metric: values for metric, values in shared.items() if len(values)}
    layers = list(next(iter([*shared.values(), *counts.values()])).index)
    names = [
        "layer",
        *(metric.upper() for metric in shared),
        *(f"neurons by {criterion_label(name)}" for name in criteria),
    ]
    lines = []
    for layer in layers:
        values = [number(values[layer]) for values in shared.values()]
        lines.append([layer, *values, *(number(count[layer], digits=1) for count in counts.values())])
    ends = {metric: [model_value(run, f"{metric}{end}") for end in ("_low", "_high")] for metric in shared}
    values = [f"{number(model_value(run, metric))}{in_brackets(*ends[metric])}" for metric in shared]
    lines.append(["all", *values, *(number(model_value(run, f"{name}_neurons"), digits=1) for name in criteria)])
    chance = [limits(*(model_value(run, f"{metric}{end}") for end in ("_null_low", "_null_high"))) for metric in shared]
    chance += [number(model_value(run, f"{name}_neurons_null"), digits=1) for name in criteria]
    if any(chance):
        lines.append(["chance", *chance])
    titles = [f"{' and '.join(map(str.upper, shared))}, 95 % intervals over sentences"] if shared else []
    titles += ["neurons per language (mean)"] if criteria else []
    title = "; ".join(titles)
    _show(f"{title[:1].upper()}{title[1:]}", names, lines)


def _print_effects(run: Run) -> None:
    values = effects(run)
    if values.empty:
        return
    kinds = ("own", "others", "random")
    means = (("mean", values.mean()), ("median", values.median()))
    lines = [
        [str(name), *(number(row[kind], digits=4, sign=True) for kind in kinds)]
        for name, row in (*values.iterrows(), *means)
    ]
    _show("Change of the loss, nats per target", ["ablated region", "own language", "others", "random neurons"], lines)
    for against, what in (("others", "that in others"), ("random", "that by random neurons")):
        found = contrast(run, against)
        if found.n:
            interval = in_brackets(found.low, found.high, sign=True)
            difference = f"{number(found.value, sign=True)}{interval} over languages"
            console.print(f"Loss increase in the own language minus {what}: {difference}")
    compared = values.dropna(subset=["own", "random"])
    if len(compared):
        more = (compared["own"] > compared["random"]).sum()
        of = f"{more} of {counted(len(compared), 'language')}"
        console.print(f"Ablating a language's own neurons costs more than random ones in {of}")


def _print_sizes(run: Run, criterion: str) -> None:
    """Print the number of neurons of every language; a code and its number stay on one line."""
    sizes = by_language(run, f"{criterion}_neurons")
    told = [f"{code}\N{NO-BREAK SPACE}{size:,.0f}" for code, size in sizes[sizes > 0].items()]
    if empty := list(sizes.index[sizes == 0]):
        told.append(f"none for {', '.join(empty) if told else 'any language'}")
    if told:
        line = fill(
            f"Neurons by {criterion_label(criterion)}: {', '.join(told)}", console.width, break_on_hyphens=False
        )
        console.print(line.replace("\N{NO-BREAK SPACE}", " "))


def _show(title: str, names: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    console.print(f"[bold]{title}[/bold]")
    for table in fold(names, rows, console.width):
        console.print(table)

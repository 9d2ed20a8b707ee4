"""What `babelscope neurons` shows in the terminal."""

from collections.abc import Sequence
from math import isnan

from rich.box import SIMPLE
from rich.table import Table

from babelscope.report.neuron_summary import (
    by_language,
    by_layer_and,
    contrast,
    criteria_of,
    effects,
    over_layers,
    plain,
    said,
    whole,
)
from babelscope.report.table import Run
from babelscope.verbs.console import console


def print_neurons(run: Run) -> None:
    """Print the blocks, the regions, and what each does when it is off."""
    run = plain(run)
    criteria = criteria_of(run)
    _print_layers(run, criteria)
    _print_effects(run)
    for name in criteria:
        if sizes := [f"{code} {size:,.0f}" for code, size in by_language(run, f"{name}_neurons").items()]:
            console.print(f"Neurons by {said(name)}: {', '.join(sizes)}")


def _print_layers(run: Run, criteria: Sequence[str]) -> None:
    counts = {name: by_layer_and(run, f"{name}_neurons", "language").mean(axis=1) for name in criteria}
    shared = {metric: over_layers(run, metric) for metric in ("lrds", "sads")}
    shared = {metric: values for metric, values in shared.items() if len(values)}
    layers = list(next(iter([*shared.values(), *counts.values()])).index)
    table = _table("layer", *(metric.upper() for metric in shared), *(f"neurons by {said(name)}" for name in criteria))
    for layer in layers:
        values = [f"{values[layer]:.3f}" for values in shared.values()]
        table.add_row(layer, *values, *(f"{count[layer]:.1f}" for count in counts.values()))
    ends = {metric: [whole(run, f"{metric}{end}") for end in ("", "_low", "_high")] for metric in shared}
    values = [f"{value:.3f} [{low:.3f}, {high:.3f}]" for value, low, high in ends.values()]
    table.add_row("all", *values, *(f"{whole(run, f'{name}_neurons'):.1f}" for name in criteria))
    nulls = {metric: [whole(run, f"{metric}{end}") for end in ("_null_low", "_null_high")] for metric in shared}
    chance = ["" if isnan(low) else f"{low:.3f} to {high:.3f}" for low, high in nulls.values()]
    chance += [_number(whole(run, f"{name}_neurons_null")) for name in criteria]
    if any(chance):
        table.add_row("chance", *chance)
    title = "LRDS and SADS, 95 % intervals over sentences; neurons of a language, mean over languages"
    console.print(f"\n[bold]{title}[/bold]")
    console.print(table)


def _print_effects(run: Run) -> None:
    values = effects(run)
    if values.empty:
        return
    table = _table("region off", "own language", "others", "random neurons")
    for code, row in values.iterrows():
        table.add_row(str(code), *(_signed(row[name]) for name in ("own", "others", "random")))
    table.add_row("mean", *(_signed(values[name].mean()) for name in ("own", "others", "random")))
    console.print("\n[bold]Change of the loss, nats per target[/bold]")
    console.print(table)
    for against in ("others", "random"):
        found = contrast(run, against)
        interval = f" [{_signed(found.low)}, {_signed(found.high)}]" if found.known else ""
        console.print(f"Own minus {against}: {_signed(found.value)}{interval} over languages")


def _table(first: str, *numbers: str) -> Table:
    table = Table(first, box=SIMPLE)
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _number(value: float) -> str:
    return "" if isnan(value) else f"{value:.1f}"


def _signed(value: float) -> str:
    return "" if isnan(value) else f"{value:+.4f}"

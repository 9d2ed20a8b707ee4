"""Panels of a study: its figures, how to read them, and the choices a reader has."""

from collections.abc import Mapping, Sequence
from math import nan

import pandas as pd
import plotly.graph_objects as go

from babelscope.report.figures.differences import draw_differences
from babelscope.report.figures.freezing import draw_freezing
from babelscope.report.figures.frontier import best_of_both, draw_frontier
from babelscope.report.figures.guard import draw_guard
from babelscope.report.figures.study import draw_transfer_map
from babelscope.report.panels import Choice, Figure, Panel, metric_choice
from babelscope.report.study.directions import direction_of, lower_is_better
from babelscope.report.study.intervals import t_intervals
from babelscope.report.study.studies import Study, directed_metrics, units_of
from babelscope.report.study.tables import (
    BASE,
    KEYS,
    by_seed,
    pair_differences,
    ranked_values,
    share_units,
    summarise,
    transfer_by_language,
)
from babelscope.report.table import THIRDS
from babelscope.report.words import words_of

Tables = Mapping[tuple[str, str, str], pd.DataFrame]
_NONE = pd.DataFrame({"mean": [], "half": [], "n": []}, dtype=float)


def frontier(study: Study, values: pd.DataFrame) -> Panel | None:
    """Make the panel of the freezing frontier, on the units that all ranked settings share."""
    views, metrics = {}, directed_metrics(study)
    if not metrics:
        return None
    sources, values = _source_choice(study), _of_frontier(values, metrics)
    shown = ["zero-shot", "source language", *(["zero-shot minus none"] if BASE in study.settings else [])]
    for where, source in enumerate(sources.values()):
        chosen = ranked_values(_of_source(values, source))
        table, pairs = by_quantity(summarise(chosen)), by_quantity(summarise(pair_differences(chosen)))
        for place, metric in enumerate(metrics):
            for depth, part in enumerate(THIRDS):
                for across, quantity in enumerate(("zero_shot", "source", "gain")[: len(shown)]):
                    points = _points(table, pairs, ("kept", metric, part), score=study.score, quantity=quantity)
                    figure = _frontier(study, points, metric, part, quantity)
                    views[f"{place},{depth},{across},{where}"] = [figure] if figure else []
    return Panel(
        "The freezing frontier",
        "Each mark is a setting: further right it transfers better, further up it keeps more of the alignment that "
        "the layers had before fine-tuning (at the dashed line, all of it; frozen layers keep theirs by "
        "construction). The ringed settings are the frontier: no other is better in both by its mean. Bars are 95 % "
        f"intervals by Student's t over {units_of(study)}; settings whose bars overlap may trade places. "
        "Settings that lack runs are not here.",
        views,
        [
            metric_choice(metrics, "Score"),
            Choice("Layers", list(THIRDS)),
            Choice("Across", shown, notes=["", "", _PAIRED][: len(shown)]),
            Choice("Fine-tuned on", list(sources)),
        ],
    )


def frontier_settings(study: Study, values: pd.DataFrame, metric: str, part: str = "early") -> list[str]:
    """List the settings on the frontier of zero-shot score and kept alignment, best transfer last."""
    table = by_quantity(summarise(ranked_values(_of_frontier(values, [metric]))))
    points = _points(table, {}, ("kept", metric, part), score=study.score, quantity="zero_shot")
    return best_of_both(
        -points["x"] if lower_is_better(study.score) else points["x"], direction_of(metric) * points["y"]
    )


def differences(study: Study, values: pd.DataFrame) -> Panel | None:
    """Make the panel of paired differences to the setting `none`."""
    quantities = {
        f"zero-shot {study.score}": ("zero_shot", study.score, ""),
        f"source {study.score}": ("source", study.score, ""),
    }
    quantities |= {f"early {words_of(name).name} kept": ("kept", name, "early") for name in directed_metrics(study)}
    every = pair_differences(share_units(values))
    known = set(every.dropna()[KEYS].itertuples(index=False, name=None))
    quantities = {name: key for name, key in quantities.items() if key in known}
    if not quantities:
        return None
    sources, views = _source_choice(study), {}
    for where, source in enumerate(sources.values()):
        pairs = pair_differences(share_units(_of_source(values, source)))
        for place, (name, key) in enumerate(quantities.items()):
            seeds = by_seed(pairs[(pairs[KEYS] == list(key)).all(axis=1)], ["setting"])
            figure = _differences(study, seeds, name, key) if len(seeds) else None
            views[f"{place},{where}"] = [figure] if figure else []
    return Panel(
        "What each setting changes, run against run",
        "A run is compared with the run of setting none that had the same seed and source language. Each small mark "
        f"is a seed{', the mean over its source languages' if len(study.sources) > 1 else ''}; the diamond is their "
        "mean with its 95 % interval by Student's t over seeds. Right of the line is better; a bar that crosses it is "
        "undecided.",
        views,
        [Choice("Of", list(quantities)), Choice("Fine-tuned on", list(sources))],
        "narrow",
    )


def _differences(study: Study, seeds: pd.DataFrame, name: str, key: tuple[str, str, str]) -> go.Figure:
    order = {setting: place for place, setting in enumerate(study.settings)}
    seeds = seeds.sort_values(
        ["setting", "seed"], key=lambda column: column.map(order) if column.name == "setting" else column
    )
    down = lower_is_better(study.score) if key[0] != "kept" else direction_of(key[1]) < 0
    return draw_differences(
        seeds,
        t_intervals(seeds, ["setting"]),
        f"{_capital(name)}, minus that of none",
        f"difference{' (axis reversed: lower is better)' if down else ''}",
        flip=down,
    )


def transfer(study: Study, languages: pd.DataFrame) -> Panel:
    """Make the panel of every language's test score in every setting."""
    sources, views = _source_choice(study), {}
    shown = ["value", *(["difference to none"] if BASE in study.settings else [])]
    for where, source in enumerate(sources.values()):
        chosen = share_units(_of_source(languages, source))
        tables = [chosen, pair_differences(chosen)]
        for change in range(len(shown)):
            grid = transfer_by_language(tables[change], study.settings)
            own = f"{source or study.sources[0]} (source)" if source or len(study.sources) == 1 else "own source"
            figure = draw_transfer_map(grid, study.score, own, change=bool(change)) if grid.size else None
            views[f"{change},{where}"] = [figure] if figure else []
    return Panel(
        "How far the task carries into every language",
        "The top row is the language that was fine-tuned on, the others are zero-shot, best first; each cell is a "
        f"mean over {units_of(study)}. Darker is better; in differences, blue is better than none and orange worse. "
        "Settings that lack runs are means over those that they have.",
        views,
        [Choice("Show", shown), Choice("Fine-tuned on", list(sources))],
    )


def frozen(study: Study) -> Panel | None:
    """Make the panel of what each setting trains."""
    parts = {
        name: next((run.parts for run in study.runs if run.setting == name and run.parts), [])
        for name in study.settings
    }
    parts = {name: rows for name, rows in parts.items() if rows}
    if not parts:
        return None
    return Panel(
        "What each setting trains and what it freezes",
        "Blue parts were trained, grey ones kept their weights bit by bit; a paler blue was trained in part, as with "
        "adapters. A guard decides during training, so its map shows what it started with.",
        {"": [draw_freezing(parts)]},
    )


def guard(study: Study) -> Panel | None:
    """Make the panel of what the guard saw, run by run."""
    watched = {_run_name(study, run.setting, run.source, run.seed): run.guard for run in study.runs if len(run.guard)}
    if not watched:
        return None
    figures: list[list[go.Figure]] = [[draw_guard(rows, name)] for name, rows in watched.items()]
    kind = "buttons" if len(figures) <= 6 else "slider"
    return Panel(
        "Alignment guard: score drop per layer and freezing decisions",
        "Each line is a watched layer, orange near the input: how far its score has dropped since step 0. A dotted "
        "vertical line is a decision: the named blocks went back to their last good weights and were frozen.",
        {str(place): figure for place, figure in enumerate(figures)},
        [Choice("Run", list(watched), kind)],
        "narrow",
    )


_PAIRED = (
    "Bars across are then intervals of the run-by-run difference, without what a seed or a language does to all "
    "settings alike; none is 0 by definition."
)


def _frontier(study: Study, points: pd.DataFrame, metric: str, part: str, quantity: str) -> Figure | None:
    points = points.reindex([name for name in study.settings if name in points.index])
    if points.empty:
        return None
    down, apart = lower_is_better(study.score), direction_of(metric) < 0
    best = best_of_both(-points["x"] if down else points["x"], -points["y"] if apart else points["y"])
    names = {"zero_shot": f"zero-shot {study.score}", "source": f"source {study.score}"}
    return draw_frontier(
        points,
        best,
        x_title=names.get(quantity, f"zero-shot {study.score} minus none"),
        y_title=f"change of {part} {words_of(metric).name} since step 0",
        colour_title=names["zero_shot" if quantity == "source" else "source"],
        flip_x=down,
        flip_y=apart,
        flip_colour=down,
    )


def _of_frontier(values: pd.DataFrame, metrics: Sequence[str]) -> pd.DataFrame:
    """Keep the task's scores and what is kept of some scores of alignment: a tenth of all, on which groups are fast."""
    kept = (values["quantity"] == "kept") & values["metric"].isin(metrics) & values["part"].isin(THIRDS)
    return values[kept | values["quantity"].isin(["source", "zero_shot"])]


def by_quantity(table: pd.DataFrame) -> dict[tuple[str, str, str], pd.DataFrame]:
    """Split a summary by quantity, metric and part of the depth into tables by setting."""
    return {key: group.set_index("setting")[["mean", "half", "n"]] for key, group in table.groupby(KEYS)}  # type: ignore[misc]


def _points(tables: Tables, pairs: Tables, y: tuple[str, str, str], *, score: str, quantity: str) -> pd.DataFrame:
    source, zero_shot, kept, gain = (
        found.get(key, _NONE)
        for found, key in (
            (tables, ("source", score, "")),
            (tables, ("zero_shot", score, "")),
            (tables, y),
            (pairs, ("zero_shot", score, "")),
        )
    )
    x, colour = (source, zero_shot) if quantity == "source" else (zero_shot, source)
    if quantity == "gain" and BASE in zero_shot.index:
        base = pd.DataFrame({"mean": 0.0, "half": nan, "n": zero_shot.loc[[BASE], "n"]})
        x = pd.concat([base, gain]) if len(gain) else base
    columns = {"x": x["mean"], "x_half": x["half"], "n": x["n"], "y": kept["mean"], "y_half": kept["half"]}
    return pd.DataFrame({**columns, "colour": colour["mean"]}).dropna(subset=["x", "y"])


def _of_source(values: pd.DataFrame, source: str | None) -> pd.DataFrame:
    return values if source is None else values[values["source"] == source]


def _source_choice(study: Study) -> dict[str, str | None]:
    if len(study.sources) == 1:
        return {study.sources[0]: None}
    return {"all source languages (mean)": None, **{source: source for source in study.sources}}


def _run_name(study: Study, setting: str, source: str, seed: str) -> str:
    return ", ".join([setting, *([source] if len(study.sources) > 1 else []), f"seed {seed}"])


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]

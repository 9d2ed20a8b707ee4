"""Panels of a study over the training steps: thirds of the depth, and every layer."""

from collections.abc import Iterator

import pandas as pd

from babelscope.report.figures.study import draw_layer_curves, draw_setting_curves, limits_of
from babelscope.report.panels import Panel, metric_choice
from babelscope.report.study.intervals import t_intervals
from babelscope.report.study.replicates import parts_of_depth
from babelscope.report.study.studies import Study, units_of
from babelscope.report.study.tables import UNIT, by_seed
from babelscope.report.table import THIRDS
from babelscope.report.words import words_of


def curves(study: Study) -> Iterator[Panel]:
    """Make the panels of thirds and of single layers over the steps."""
    every = _by_layer(study)
    by_part, by_layer = {}, {}
    for place, metric in enumerate(study.metrics):
        of_metric = every[every["metric"] == metric]
        tables = {
            part: t_intervals(by_seed(_mean_of_part(of_metric, part), ["setting", "step"]), ["setting", "step"])
            for part in THIRDS
        }
        tables = {part: table for part, table in tables.items() if len(table)}
        if tables and of_metric["step"].nunique() > 1:
            limits = limits_of(list(tables.values()))
            null = every[every["metric"] == words_of(metric).null]
            by_part[place] = [
                draw_setting_curves(
                    {name: table[table["setting"] == name] for name in study.settings},
                    metric,
                    part,
                    limits,
                    null=_mean_of_part(null, part).groupby("step")["value"].mean() if len(null) else None,
                )
                for part, table in tables.items()
            ]
            keys = ["setting", "layer", "step"]
            layers = t_intervals(by_seed(of_metric, keys), keys)
            limits = limits_of([layers])
            by_layer[place] = [
                draw_layer_curves(layers[layers["setting"] == name], metric, name, limits)
                for name in study.settings
                if (layers["setting"] == name).any()
            ]
    if not by_part:
        return
    scores = metric_choice([study.metrics[place] for place in by_part], "Score")
    yield Panel(
        "Early, middle and last layers during fine-tuning",
        f"Each line is a setting, the mean over {units_of(study)}; its band is the 95 % interval by Student's t. Lines "
        "that stay level keep what pre-training had aligned. Dashed is what chance gives, where it is in the picture. "
        "Settings that lack runs are means over those that they have.",
        {str(place): figures for place, figures in enumerate(by_part.values())},
        [scores],
        "grid",
        study.settings,
    )
    yield Panel(
        "Every layer during fine-tuning",
        "One picture per setting, one line per layer: orange near the input, blue near the output (dotted grey: after "
        f"the final norm). Bands are 95 % intervals over {units_of(study)}; a flat orange line is an early layer that "
        "held.",
        {str(place): figures for place, figures in enumerate(by_layer.values())},
        [scores],
        "grid",
    )


def _by_layer(study: Study) -> pd.DataFrame:
    tables = [run.layers.assign(setting=run.setting, source=run.source, seed=run.seed) for run in study.runs]
    keys = ["setting", *UNIT, "step", "layer", "metric"]
    return pd.concat(tables).groupby(keys, sort=True)["value"].mean().reset_index()


def _mean_of_part(rows: pd.DataFrame, part: str) -> pd.DataFrame:
    chosen = rows[rows["layer"].isin(parts_of_depth(list(rows["layer"].unique()))[part])]
    return chosen.groupby(["setting", *UNIT, "step"], sort=True)["value"].mean().reset_index()

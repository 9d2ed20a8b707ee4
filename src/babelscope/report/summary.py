"""The tables of a report: pure functions from rows to small tables.

A third is a third of the depth: the layers "0".."L", without "final" (a norm moves distances but is no depth of its
own), cut into early, middle and last as evenly as possible, the earlier ones longer: 7 layers are 0-2, 3-4, 5-6.
"""

from collections.abc import Iterable, Sequence

import pandas as pd

from babelscope.report.runs import labels, setting_of, source_of
from babelscope.report.table import THIRDS, Run, cut_in_thirds, sort_layers

SCORES = ("f1", "accuracy", "loss")
"""What tasks are scored by: names in texts by F1, other labels by accuracy, language modelling by its loss."""


def thirds(layers: Iterable[str]) -> dict[str, list[str]]:
    """Cut numbered layers into early, middle and last; fewer than three layers leave the later ones empty."""
    numbered = [layer for layer in sort_layers(layers) if layer.isdecimal()]
    return {third: numbered[place.start : place.stop] for third, place in cut_in_thirds(len(numbered)).items()}


def by_layer(rows: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Select one metric's value per run, step and layer (the mean over languages where it has one per language)."""
    chosen = (rows["metric"] == metric) & (rows["layer"] != "") & (rows["language"] == "") & (rows["other"] == "")
    return rows.loc[chosen, ["run", "step", "epoch", "layer", "value"]].reset_index(drop=True)


def by_third(rows: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Average one metric over early, middle and last layers, per run and step: run, step, epoch, third, value.

    Every run is cut by its own depth.
    """
    values = by_layer(rows, metric)
    if values.empty:
        return pd.DataFrame({"run": [], "step": [], "epoch": [], "third": [], "value": []})
    place = {
        (run, layer): third
        for run, known in values.groupby("run")["layer"]
        for third, layers in thirds(known.unique()).items()
        for layer in layers
    }
    of_third = [place.get(key) for key in zip(values["run"], values["layer"], strict=True)]
    values = values.assign(third=pd.Series(of_third, values.index, dtype=object)).dropna(subset="third")
    return values.groupby(["run", "step", "epoch", "third"], sort=False)["value"].mean().reset_index()


def best_layers(rows: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Find the layers where one metric is highest and lowest, per run and step.

    Columns: run, step, highest_layer, highest, lowest_layer, lowest.
    """
    ranked = by_layer(rows, metric).dropna(subset="value").sort_values("value", ascending=False, kind="stable")
    groups = ranked.groupby(["run", "step"])
    best = groups.nth(0)[["run", "step", "layer", "value"]]
    worst = groups.nth(-1)[["run", "step", "layer", "value"]]
    joined = best.merge(worst, on=["run", "step"]).sort_values(["run", "step"], ignore_index=True)
    return joined.set_axis(["run", "step", "highest_layer", "highest", "lowest_layer", "lowest"], axis=1)


def change_by_layer(rows: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Compare every layer's first and last measured value: run, layer, first, last, change."""
    groups = by_layer(rows, metric).sort_values("step", kind="stable").groupby(["run", "layer"], sort=False)["value"]
    ends = pd.DataFrame({"first": groups.first(), "last": groups.last()}).reset_index()
    return ends.assign(change=ends["last"] - ends["first"])


def score_of(rows: pd.DataFrame) -> str:
    """Name what the task is scored by: the first of `SCORES` that it has; "" for a run without a task."""
    found = set(rows["metric"].unique())
    return next((score for score in SCORES if {f"test_{score}", f"validation_{score}"} & found), "")


def at_last_step(rows: pd.DataFrame, metric: str) -> pd.Series:
    """Select a task metric per language at the last step at which it was measured."""
    chosen = rows[(rows["metric"] == metric) & (rows["layer"] == "") & (rows["language"] != "")]
    return chosen[chosen["step"] == chosen["step"].max()].set_index("language")["value"]


def transfer_table(runs: Sequence[Run]) -> pd.DataFrame:
    """Build the transfer table: the test score per language (rows) and run (columns), at each last tested step."""
    columns = {
        label: at_last_step(run.rows, f"test_{score_of(run.rows)}")
        for label, run in zip(labels(runs), runs, strict=True)
    }
    return pd.DataFrame({label: values for label, values in columns.items() if len(values)})


def settings_table(runs: Sequence[Run]) -> pd.DataFrame:
    """Build the table of settings, one row per run.

    Columns: label, folder, freeze, adapter, source_language; METRIC_THIRD_first and METRIC_THIRD_last for ilo and
    separability (first and last measured step); score (of `SCORES`, or ""), validation and test (source
    language, last measured step), zero_shot (unweighted mean test
    score over all other languages). NaN where a run has no such rows.
    """
    return pd.DataFrame([_settings_row(label, run) for label, run in zip(labels(runs), runs, strict=True)])


def _settings_row(label: str, run: Run) -> dict[str, object]:
    source, score = source_of(run), score_of(run.rows)
    row: dict[str, object] = {"label": label, "folder": str(run.folder), **setting_of(run), "source_language": source}
    for metric in ("ilo", "separability"):
        values = by_third(run.rows, metric)
        for third in THIRDS:
            of_third = values.loc[values["third"] == third].sort_values("step")["value"].tolist()
            row[f"{metric}_{third}_first"] = of_third[0] if of_third else float("nan")
            row[f"{metric}_{third}_last"] = of_third[-1] if of_third else float("nan")
    test = at_last_step(run.rows, f"test_{score}")
    validation = at_last_step(run.rows, f"validation_{score}")
    return row | {
        "score": score,
        "validation": validation.get(source, float("nan")),
        "test": test.get(source, float("nan")),
        "zero_shot": test.drop(source, errors="ignore").mean(),
    }

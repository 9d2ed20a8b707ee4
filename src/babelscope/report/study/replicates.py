"""Every run of a study, cut down to the few numbers that its page needs."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from babelscope.report.conditions import conditions_of
from babelscope.report.last_steps import LastSteps, last_steps
from babelscope.report.runs import facts_of, has_ended, model_of, name_of_setting, seed_of, source_of, task_of
from babelscope.report.study.variants import Cell, name_variants
from babelscope.report.summary import at_last_step, score_of, thirds
from babelscope.report.table import THIRDS, Run

SETTINGS = (
    "none",
    "embeddings",
    "early",
    "early_half",
    "early_most",
    "last",
    "lora",
    "early_lora",
    "guard",
    "contrast",
)
"""The order in which settings are shown; others follow by name."""
PARTS = (*THIRDS, "later", "all")
"""Parts of the depth: its thirds, the later two of them together, and all numbered layers."""


@dataclass(frozen=True)
class Replicate:
    """One run of a setting."""

    model: str
    task: str
    source: str
    setting: str
    seed: str
    folder: Path
    score: str
    """What the task is scored by, such as "accuracy"; "" for an unfinished run."""
    tests: pd.Series
    """The last test score by language; empty for an unfinished run."""
    layers: pd.DataFrame
    """Each layer's mean over languages: step, epoch, layer, metric, value."""
    ends: pd.DataFrame
    """By metric, language ("" for the mean over languages) and part of the depth: first and last measured value."""
    guard: pd.DataFrame
    """Rows of the guard: step, epoch, layer, metric, value."""
    parts: list[dict[str, Any]]
    """The trainable map: part, parameters, trainable; empty where the manifest has none."""
    facts: dict[str, str]
    last: LastSteps
    conditions: dict[str, str]
    """What else was configured, by key, as `conditions_of` lists it."""
    ended: bool
    """What the manifest says of the end of the training; false without one."""

    @property
    def finished(self) -> bool:
        """Whether the run was trained to its end and tested."""
        return self.ended and len(self.tests) > 0

    @property
    def frozen_layers(self) -> list[str]:
        """Numbered layers that cannot change, as all weights below them are frozen: layer i is after block i - 1."""
        trainable = {str(part["part"]): part["trainable"] for part in self.parts}
        layers: list[str] = []
        while trainable.get(f"block {len(layers) - 1}" if layers else "inputs") == 0:
            layers.append(str(len(layers)))
        return layers


def cell_of(run: Run) -> Cell:
    """Name what replicates of a run have in common."""
    return Cell(model_of(run), task_of(run), source_of(run), name_of_setting(run))


def is_study(runs: Sequence[Run]) -> bool:
    """Tell whether the runs repeat a fine-tuning setting with another seed; their rows need not be read."""
    tuned = [run for run in runs if task_of(run)]
    cells = [cell_of(run) for run in tuned]
    names = name_variants(cells, [conditions_of(run) for run in tuned])
    seeds: dict[tuple[str, ...], set[str]] = {}
    for run, cell, name in zip(tuned, cells, names, strict=True):
        seeds.setdefault((*cell, *name), set()).add(seed_of(run))
    return any(len(found) > 1 for found in seeds.values())


def replicate_of(run: Run) -> Replicate:
    """Cut a run down to what the page of a study needs."""
    rows, (model, task, source, setting) = run.rows, cell_of(run)
    of_guard = rows["metric"].isin(["guard_fall", "guard_freeze"])
    guard = rows.loc[of_guard, ["step", "epoch", "layer", "metric", "value"]].reset_index(drop=True)
    of_layers = rows[(rows["layer"] != "") & (rows["other"] == "") & ~of_guard]
    means = of_layers.loc[of_layers["language"] == "", ["step", "epoch", "layer", "metric", "value"]]
    score = score_of(rows)
    return Replicate(
        model=model,
        task=task,
        source=source,
        setting=setting,
        seed=seed_of(run),
        folder=run.folder,
        score=score,
        tests=at_last_step(rows, f"test_{score}"),
        layers=means.reset_index(drop=True),
        ends=_ends(of_layers),
        guard=guard,
        parts=list(run.manifest.get("trainable") or []),
        facts=facts_of(run),
        last=last_steps(rows),
        conditions=conditions_of(run),
        ended=has_ended(run),
    )


def sort_settings(names: Sequence[str]) -> list[str]:
    """Sort distinct names of settings: `none` first, then deeper freezing, then the rest."""

    def place(name: str) -> int:
        known = name.partition(", ")[0]  # before what else differs within it
        return SETTINGS.index(known) if known in SETTINGS else len(SETTINGS)

    return sorted(set(names), key=lambda name: (place(name), name))


def sort_seeds(seeds: Iterable[str]) -> list[str]:
    """Sort distinct seeds, numbers by size."""
    return sorted(set(seeds), key=lambda seed: (len(seed), seed))


def parts_of_depth(layers: Sequence[str]) -> dict[str, list[str]]:
    """Cut the numbered layers into the parts by which a study compares them."""
    cut = thirds(layers)
    later = [*cut["middle"], *cut["last"]]
    return {**cut, "later": later, "all": [*cut["early"], *later]}


def _ends(rows: pd.DataFrame) -> pd.DataFrame:
    """Average the first and the last measurement over the parts of the depth, per metric and language.

    By counting numbers and not by groups of strings: a study has hundreds of runs of tens of thousands of rows.
    """
    rows = rows[rows["value"].notna()]
    (metric, metrics), (language, languages), (layer, layers) = (
        pd.factorize(rows[name]) for name in ("metric", "language", "layer")
    )
    step, value, pair = rows["step"].to_numpy(), rows["value"].to_numpy(), metric * len(languages) + language
    last = np.full(len(metrics), -1)
    np.maximum.at(last, metric, step)
    at_start = step == (step.min() if len(step) else 0)
    tables = []
    for part, names in parts_of_depth(list(layers)).items():
        inside = np.isin(layer, [place for place, name in enumerate(layers) if name in names])
        # what was measured once has not changed by 0: it has no last value
        first, final = (
            _mean(pair[chosen], value[chosen], len(metrics) * len(languages))
            for chosen in (inside & at_start, inside & (step == last[metric]) & ~at_start)
        )
        known = np.flatnonzero(~(np.isnan(first) & np.isnan(final)))
        name, code = metrics[known // max(len(languages), 1)], languages[known % max(len(languages), 1)]
        tables.append(
            pd.DataFrame({"metric": name, "language": code, "part": part, "first": first[known], "last": final[known]})
        )
    table = pd.concat(tables, ignore_index=True)
    # drift compares with the start, where nothing has drifted; it need not be measured there
    drifts = table["metric"].str.startswith("drift_") & ~table["metric"].str.endswith("_null")
    return table.assign(first=table["first"].mask(drifts & table["first"].isna(), 1.0))


def _mean(groups: np.ndarray, values: np.ndarray, number: int) -> np.ndarray:
    counts = np.bincount(groups, minlength=number)
    totals = np.bincount(groups, weights=values, minlength=number)
    return np.divide(totals, counts, out=np.full(number, np.nan), where=counts > 0)

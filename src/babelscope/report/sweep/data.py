"""What the page of a sweep holds: every run's numbers, once, as plain JSON values."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from scipy import stats

from babelscope.report.bidi import isolate
from babelscope.report.figures.marks import COLOURS
from babelscope.report.figures.style import SEQUENTIAL, clean
from babelscope.report.study.directions import PRIMARY, direction_of, lower_is_better, rank_score
from babelscope.report.study.intervals import LEVEL
from babelscope.report.study.replicates import sort_seeds, sort_settings
from babelscope.report.sweep.runs import MOMENTS, PARTS, SweepRun, name_settings
from babelscope.report.words import ORDER, words_of
from babelscope.sweeps.jobs import Job


def describe_sweep(runs: Sequence[SweepRun], jobs: Mapping[Path, Job], page: Path) -> dict[str, Any]:
    """Describe all runs for the scripts of the page; names are listed once and runs hold their places.

    Args:
        runs: fine-tuning runs.
        jobs: what the ledger says, by absolute run folder.
        page: where the page will be, from which its links start.
    """
    runs = name_settings(runs)
    settings = sort_settings([run.setting for run in runs])
    runs = sorted(
        runs, key=lambda run: (run.model, settings.index(run.setting), run.source, run.task, run.seed, str(run.folder))
    )
    scores = sorted(
        {(run.task, score) for run in runs for score in run.tests},
        key=lambda pair: (lower_is_better(pair[1]), pair[0], rank_score(pair[1])),
    )
    names: dict[str, list[str]] = {
        "models": sorted({run.model for run in runs}),
        "settings": settings,
        "sources": sorted({run.source for run in runs}),
        "seeds": sort_seeds(run.seed for run in runs),
        "tasks": sorted({run.task for run in runs}),
        "languages": sorted({name for run in runs for values in run.tests.values() for name in values.index}),
        "metrics": sort_metrics({metric for run in runs for metric in run.alignment}),
    }
    return {
        **names,
        "scores": [
            {"task": task, "name": score, "label": f"{isolate(task)}: {score}", "down": lower_is_better(score)}
            for task, score in scores
        ],
        "metrics": [
            {
                "name": words_of(name).name,
                "title": words_of(name).title,
                "reading": words_of(name).reading,
                "way": direction_of(name),
            }
            for name in names["metrics"]
        ],
        "parts": PARTS,
        "moments": MOMENTS,
        "quantiles": [float(value) for value in stats.t.ppf((1 + LEVEL) / 2, np.arange(1, max(len(runs), 2)))],
        "colours": {"lines": COLOURS, "scale": [colour for _, colour in SEQUENTIAL["alignment"]]},
        "runs": [_run(run, names, scores, jobs, page) for run in runs],
    }


def sort_metrics(metrics: set[str]) -> list[str]:
    """Sort scores of alignment, those that speak for a study first."""
    first = {name: place for place, name in enumerate(PRIMARY)}
    return sorted(metrics, key=lambda name: (first.get(name, len(first)), ORDER.get(name, len(ORDER)), name))


def state_of(run: SweepRun, jobs: Mapping[Path, Job]) -> str:
    """Say how a run stands: done, as the ledger says, or unfinished where there is none."""
    if run.finished:
        return "done"
    job = jobs.get(run.folder.absolute())
    return "unfinished" if job is None or job.state in ("done", "gone") else job.state


def link_to(target: Path, page: Path) -> str:
    """Address a file from the page, as it works from disk; "" where there is none."""
    return quote(Path(os.path.relpath(target, page.absolute().parent)).as_posix()) if target.is_file() else ""


def _run(
    run: SweepRun,
    names: Mapping[str, list[str]],
    scores: Sequence[tuple[str, str]],
    jobs: Mapping[Path, Job],
    page: Path,
) -> dict[str, Any]:
    languages = {name: place for place, name in enumerate(names["languages"])}
    found = {
        "model": names["models"].index(run.model),
        "setting": names["settings"].index(run.setting),
        "source": names["sources"].index(run.source),
        "seed": names["seeds"].index(run.seed),
        "task": names["tasks"].index(run.task),
        "own": languages.get(run.source, -1),
        "folder": run.folder.name,
        "page": link_to(run.folder / "report.html", page),
        "state": state_of(run, jobs),
    }
    if not run.finished:
        return found  # its numbers count nowhere
    tests = {str(scores.index((run.task, score))): values for score, values in run.tests.items()}
    measured = [name for name in run.languages if name in languages]
    here, there = [run.languages.index(name) for name in measured], [languages[name] for name in measured]
    alignment = {}
    for metric, values in run.alignment.items():
        spread = np.full((*values.languages.shape[:2], len(languages)), np.nan)
        spread[..., there] = values.languages[..., here]
        alignment[str(names["metrics"].index(metric))] = {
            "profile": [_known(line) for line in values.profile],
            "best": values.best,
            "languages": [[_known(line) for line in moment] for moment in spread],
        }
    return found | {
        "layers": [int(layer) for layer in run.layers],
        "tests": {place: clean(values.reindex(names["languages"])) for place, values in tests.items()},
        "alignment": alignment,
    }


def _known(values: np.ndarray) -> list[float | None] | None:
    return None if np.isnan(values).all() else clean(values.tolist())

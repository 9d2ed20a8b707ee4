"""What tells runs apart: their settings and the short labels they carry in tables and figures."""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from babelscope.report.table import Run


def scores_of(rows: pd.DataFrame) -> pd.DataFrame:
    """Leave out what the alignment guard wrote, which has steps of its own."""
    return rows[~rows["metric"].str.startswith("guard_")]


def setting_of(run: Run) -> dict[str, str]:
    """Name a run's freezing policy and adapter; "" where the manifest does not say."""
    setting = run.manifest.get("setting") or {}
    return {"freeze": str(setting.get("freeze") or ""), "adapter": str(setting.get("adapter") or "")}


FREEZE_DEFAULTS: dict[str, Any] = {
    "share": 0.25,
    "blocks_frozen": None,
    "legacy": False,
    "decoder": "train",
    "inputs": False,
    "blocks": [],
    "final_norm": False,
    "lm_head": False,
}
"""What the freezing policies do unless told otherwise: only what differs is part of a name."""


def name_of_setting(run: Run) -> str:
    """Name a run's setting as its study does.

    Without a name it is what tells it apart: freezing policy with arguments that are no defaults, adapter, guard,
    contrastive term, as in "early share=0.75+lora+guard".
    """
    if named := (run.manifest.get("setting") or {}).get("name"):
        return str(named)
    setting, given = setting_of(run), _at(run.config, "freeze")
    given = given if isinstance(given, Mapping) else {}
    changed = [
        f"{name}={json.dumps(value) if isinstance(value, list) else value}"
        for name, value in given.items()
        if not str(name).startswith("_") and value != FREEZE_DEFAULTS.get(name)
    ]
    names = [" ".join([setting["freeze"] or "none", *changed])]
    names += [setting["adapter"]] if setting["adapter"] not in ("", "none") else []
    names += ["guard"] if _at(run.config, "callbacks", "alignment_guard") else []
    names += ["contrast"] if run.config.get("alignment") else []
    return "+".join(names)


def step_in(revision: str | None) -> int | None:
    """Read the step that a revision names, as "step=100", "global_step1000", "checkpoint-500" or "300" do."""
    named = re.search(r"(?:step|checkpoint)\D?(\d+)|^(\d+)$", str(revision or ""))
    return int(named[1] or named[2]) if named else None


def task_of(run: Run) -> str:
    """Name the task that was fine-tuned on; "" for a run without one."""
    return str(_at(run.config, "task", "name") or "")


def source_of(run: Run) -> str:
    """Name the language that was fine-tuned on; "" for a run without a task."""
    return str(run.manifest.get("source_language") or _at(run.config, "task", "language") or "")


def seed_of(run: Run) -> str:
    """Name the seed; "" for a run without one."""
    seed = run.config.get("seed")
    return "" if seed is None else str(seed)


def has_ended(run: Run) -> bool:
    """Tell whether a training came to its end, as its manifest says; an older one was written only then."""
    return bool(run.manifest) and bool(run.manifest.get("finished", True))


def model_of(run: Run) -> str:
    """Name the model; "" where neither manifest nor config says."""
    measured, name = str(run.manifest.get("model") or ""), _at(run.config, "model", "name")
    if measured and not Path(measured).is_absolute():
        return measured
    # a page is shared, so it says no machine's folder
    return str(name or Path(measured).name or _at(run.config, "model", "checkpoint") or "")


def model_names(runs: Sequence[Run]) -> list[str]:
    """Name the model of each run; those of one name and of other weights by their checkpoints, where these differ."""
    names = [model_of(run) for run in runs]
    for name in {*names}:
        same = [place for place, other in enumerate(names) if other == name]
        weights = {str(runs[place].manifest.get("weights") or "") for place in same} - {""}
        paths = [Path(str(_at(runs[place].config, "model", "checkpoint") or name)) for place in same]
        if len(weights) > 1 and len(set(paths)) > 1:  # other weights alone may be those of an adapter
            for place, end in zip(same, _ends(paths), strict=True):
                names[place] = end
    return names


def _ends(paths: Sequence[Path]) -> list[str]:
    """Cut paths to as many of their last parts as tell them apart: a page is shared, so it says no machine's folder."""
    ends = [path.name for path in paths]
    for length in range(2, max(len(path.parts) for path in paths) + 1):
        if len(set(ends)) < len(set(paths)):
            ends = ["/".join(path.parts[-length:]) for path in paths]
    return ends


def facts_of(run: Run) -> dict[str, str]:
    """Say in words what was run: model, corpus, languages, source language, training; what is unknown is left out."""
    rows, corpus = run.rows, run.manifest.get("corpus") or {}
    languages = corpus.get("languages") or []
    number = (
        languages
        if isinstance(languages, int)
        else len(languages) or rows.loc[rows["language"] != "", "language"].nunique()
    )
    of_layers = scores_of(rows)["layer"] != ""
    measured = scores_of(rows)[of_layers] if of_layers.any() else rows
    steps, epochs = measured["step"].nunique(), measured["epoch"].max() if len(rows) else 0
    sentences = corpus.get("sentences")
    named = str(corpus.get("name") or "")
    facts = {
        "Model": model_of(run),
        "Corpus": f"{named}, {counted(sentences, 'sentence')} per language" if named and sentences else named,
        "Languages": str(number or ""),
        "Fine-tuned on": source_of(run),
        "Measured": f"{steps} times in {counted(epochs, 'epoch')}" if steps > 1 else ("once" if steps else ""),
    }
    return {name: value for name, value in facts.items() if value}


def counted(number: int, what: str) -> str:
    """Say how many there are of something, such as "1 run"."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def labels(runs: Sequence[Run]) -> list[str]:
    """Give each run a short, distinct label: the settings in which the runs differ, else its folder's name.

    A setting that some runs lack, as a probe lacks a task, is shown only where labels would be the same without it.
    """
    traits = [_traits(run, model) for run, model in zip(runs, model_names(runs), strict=True)]
    found = _labels_by(traits, lacking=False)
    if len(set(found)) < len(found):
        found = _labels_by(traits, lacking=True)
    found = [label or run.folder.name for label, run in zip(found, runs, strict=True)]
    found = tell_apart(found, [f" ({run.folder.name})" for run in runs])
    return tell_apart(found, [f" #{place}" for place, _ in enumerate(runs, start=1)])


def _labels_by(traits: Sequence[Mapping[str, str]], *, lacking: bool) -> list[str]:
    """Join the traits in which runs differ; to lack one counts as a difference only if `lacking`."""
    values = {name: {trait[name] for trait in traits} for name in (traits[0] if traits else ())}
    shown = [name for name, had in values.items() if len(had if lacking else had - {""}) > 1] or ["freeze"]
    return [", ".join(trait[name] for name in shown if trait[name]) for trait in traits]


def tell_apart(names: Sequence[str], marks: Sequence[str]) -> list[str]:
    """Put its mark behind every name that is there twice."""
    twice = {name for name, count in Counter(names).items() if count > 1}
    return [f"{name}{mark}" if name in twice else name for name, mark in zip(names, marks, strict=True)]


def baseline_first(runs: Sequence[Run]) -> list[Run]:
    """Put the runs without freezing first, so that the others are read against them; otherwise keep the order."""
    return sorted(runs, key=lambda run: setting_of(run)["freeze"] != "none")


def gather(runs: Sequence[Run]) -> pd.DataFrame:
    """Join the rows of several runs, with each run's label as its `run`."""
    return pd.concat(
        [run.rows.assign(run=label) for label, run in zip(labels(runs), runs, strict=True)], ignore_index=True
    )


def _traits(run: Run, model: str) -> dict[str, str]:
    setting, seed = setting_of(run), seed_of(run)
    return {
        "model": model,
        "revision": str(run.manifest.get("revision") or ""),
        "task": task_of(run),
        "source": source_of(run),
        "freeze": _named(run) or (f"freeze={setting['freeze']}" if setting["freeze"] else ""),
        "adapter": f"adapter={setting['adapter']}" if setting["adapter"] else "",
        "seed": f"seed={seed}" if seed else "",
    }


def _named(run: Run) -> str:
    """Name the setting of a study where freezing and adapter do not say it."""
    setting = setting_of(run)
    name = str((run.manifest.get("setting") or {}).get("name") or "")
    said = {"", "none", *setting.values()}
    return "" if name in said else f"setting={name}"


def _at(config: Mapping[str, Any], *keys: str) -> Any:
    value: Any = config
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value

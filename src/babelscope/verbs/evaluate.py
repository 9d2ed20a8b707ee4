"""`babelscope evaluate`: downstream tasks on any checkpoint, language by language."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from omegaconf import DictConfig

from babelscope.analyses.downstream.harness import (
    TaskScores,
    load_tasks,
    refuse_unscored,
    require_harness,
    score_task,
)
from babelscope.analyses.downstream.harness_model import harness_model
from babelscope.models.families import Family, family_of
from babelscope.models.fingerprint import weights_fingerprint
from babelscope.models.load import Loaded
from babelscope.models.raw_config import read_family_of_checkpoint
from babelscope.report.runs import counted
from babelscope.report.table import write
from babelscope.verbs.config.building import (
    begin,
    build_model,
    checkpoint_of,
    choose_device,
    languages_of,
    read_family,
    write_run_files,
)
from babelscope.verbs.folder.manifest import software
from babelscope.verbs.folder.origin import Origin, origin_of
from babelscope.verbs.terminal.console import show, track


def main(cfg: DictConfig, folder: Path) -> None:
    """Find the tasks, load the model, score it by the harness, and write rows and manifest after every language."""
    begin(cfg)
    version, device = require_harness(), choose_device(cfg.device)
    names = _names(cfg)
    refuse_unscored(_family(cfg))
    tasks = load_tasks(
        names,
        include=None if cfg.include is None else Path(cfg.include).expanduser(),
        folders=list(cfg.folders),
        files=cfg.files,
        data=None if cfg.data is None else Path(cfg.data).expanduser(),
        num_fewshot=cfg.num_fewshot,
        seed=cfg.seed,
        limit=cfg.limit,
    )
    loaded = build_model(cfg, head="lm")
    loaded.model.to(device)
    origin = origin_of(checkpoint_of(cfg), cfg.model.revision)
    model = harness_model(
        loaded, batch_size=cfg.batch_size, max_length=cfg.max_length, progress=partial(track, what="Answering")
    )
    about = _describe(cfg, loaded, origin, version)
    scores: dict[str, TaskScores] = {}
    for language, task in tasks.items():
        found = score_task(model, task, limit=cfg.limit)
        if found.truncated:
            cut = counted(found.truncated, "prompt")
            print(f"{names[language]}: {cut} longer than max_length, truncated at the start")
        scores[language] = replace(found, samples=[])  # prompts and answers of all languages would fill the memory
        path = _write(cfg, folder, {**about, "tasks": _tasks(scores)}, origin, scores)
    write_run_files(cfg, folder, {**about, "tasks": _tasks(scores), "finished": True})
    _print(f"{cfg.benchmark}: {cfg.model.name}", scores)
    print(f"Wrote {path}")


def _names(cfg: DictConfig) -> dict[str, str]:
    """Choose the task of each language."""
    tasks = {str(language): str(name) for language, name in cfg.tasks.items()}
    if not tasks:
        raise ValueError(
            "Expected `tasks` to name a task of the harness for each language, but got none; "
            "add +tasks.eng_Latn=TASK, or choose a benchmark, such as harness=xcopa."
        )
    codes = list(tasks) if cfg.languages.codes is None else list(dict.fromkeys(languages_of(cfg)))
    if missing := [code for code in codes if code not in tasks]:
        raise ValueError(
            f"Expected `languages` to have a task in {cfg.benchmark}, but got {', '.join(missing)}; those with one are "
            f"{', '.join(tasks)}; or add +tasks.{missing[0]}=TASK."
        )
    return {code: tasks[code] for code in codes}


def _family(cfg: DictConfig) -> Family:
    """Find the model's family before its weights are downloaded, or a lab model is made."""
    model = cfg.model
    if model.family is None and model.checkpoint is None and model.recipe is not None:
        return family_of(model.recipe.config.model_type)
    given = read_family(model.family)
    if given is not None:
        return given
    return read_family_of_checkpoint(
        checkpoint_of(cfg), revision=model.revision, trust_remote_code=model.trust_remote_code
    )


def _write(
    cfg: DictConfig, folder: Path, manifest: dict[str, Any], origin: Origin, scores: Mapping[str, TaskScores]
) -> Path:
    """Write the languages so far, as those of a run that is not finished."""
    write_run_files(cfg, folder, {**manifest, "finished": False})  # first, or fewer rows might stand beside an old end
    keys = {"run": folder.name, "step": origin.step, "epoch": origin.epoch, "layer": "", "other": ""}
    rows = [
        {**keys, "metric": f"{cfg.benchmark}/{metric}", "language": language, "value": value}
        for language, found in scores.items()
        for metric, value in found.scores.items()
    ]
    return write(folder, "downstream", rows)


def _describe(cfg: DictConfig, loaded: Loaded, origin: Origin, version: str) -> dict[str, Any]:
    """Describe model, origin and harness, for manifest.json."""
    model: Any = loaded.model
    software_ = software()
    return {
        "model": getattr(model.config, "name_or_path", "") or type(model).__name__,
        "model_type": loaded.parts.family.model_type,
        "revision": cfg.model.revision,
        "weights": weights_fingerprint(model, loaded.parts.family),
        "dtype": str(loaded.parts.dtype).removeprefix("torch."),
        "trained_in": asdict(origin),
        "setting": origin.setting,
        "source_language": origin.source_language,
        "benchmark": cfg.benchmark,
        **software_,
        "versions": {**software_["versions"], "lm_eval": version},
    }


def _tasks(scores: Mapping[str, TaskScores]) -> dict[str, Any]:
    """Describe the task of every language, for manifest.json."""
    return {
        language: {
            "task": found.task,
            "version": found.version,
            "documents": found.documents,
            "of": found.of,
            "num_fewshot": found.num_fewshot,
            "hash": found.fingerprint,
            "truncated": found.truncated,
        }
        for language, found in scores.items()
    }


def _print(title: str, scores: Mapping[str, TaskScores]) -> None:
    """Print one line per language: task, documents, and each score, its standard error and that of guessing."""
    found = pd.DataFrame({language: task.scores for language, task in scores.items()}).T
    # guessing is told of metrics that it has a score in
    columns = [name for name in found.columns if "_stderr" not in name and not name.endswith("_null")]
    columns = [name for metric in columns for name in (metric, f"{metric}_null") if name in found.columns]
    rows = [
        [language, task.task, f"{task.documents:,}", *(_cell(task.scores, name) for name in columns)]
        for language, task in scores.items()
    ]
    if len(scores) > 1:
        means = ["" if name.endswith("_null") else f"{found[name].mean():.3f}" for name in columns]
        rows.append(["mean", "", "", *means])
    heads = ["guessing" if name.endswith("_null") else name for name in columns]
    show(title, ["language", "task", "documents", *heads], rows, keys=2)


def _cell(scores: Mapping[str, float], metric: str) -> str:
    if metric not in scores:
        return ""
    name, comma, kind = metric.partition(",")
    error = scores.get(f"{name}_stderr{comma}{kind}")
    return f"{scores[metric]:.3f}" if error is None else f"{scores[metric]:.3f} ± {error:.3f}"

"""`babelscope train`: fine-tune on one language and score every layer at every validation epoch."""

import inspect
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.callbacks import Checkpoint
from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities.exceptions import MisconfigurationException, SIGTERMException

from babelscope.data.tasks import Task, TaskText, classification, label_names, lm, reads_segments
from babelscope.models.fingerprint import frozen_fingerprint, weights_fingerprint
from babelscope.models.load import Loaded
from babelscope.report.page import write_page
from babelscope.report.runs import scores_of
from babelscope.report.table import read_run
from babelscope.states import prepare
from babelscope.training.callbacks import LayerScores
from babelscope.training.checkpoint import last_path
from babelscope.training.data import TaskData
from babelscope.training.guard import AlignmentGuard
from babelscope.training.interrupt import told_to_end
from babelscope.training.module import FineTuner
from babelscope.training.monitors import refuse_unknown_monitors
from babelscope.verbs.config.building import (
    begin,
    build,
    build_corpus,
    build_metrics,
    build_model,
    languages_of,
    tested_languages,
    write_run_files,
)
from babelscope.verbs.config.overlap import refuse_overlap, warn_watched
from babelscope.verbs.config.signature import check_arguments
from babelscope.verbs.folder.kept_rows import find_begun
from babelscope.verbs.folder.manifest import describe, text_fingerprint
from babelscope.verbs.folder.resumed import refuse_other_data
from babelscope.verbs.mirror.logger import EpochMirror, log_table, mirrored
from babelscope.verbs.terminal.console import first_columns, print_layers, print_settings, print_trainable

logger = logging.getLogger(__name__)


def main(cfg: DictConfig, folder: Path) -> None:
    """Build, fit, test in every language, and write rows, manifest and page."""
    begin(cfg)
    steps = _build_steps(cfg)
    last, name = find_begun(folder)
    metrics, source, settings = build_metrics(cfg), cfg.task.language, cfg.task
    languages = list(dict.fromkeys([*tested_languages(cfg), source]))
    probed = build_corpus(cfg, languages_of(cfg), sentences=cfg.sentences)
    read = build("task.corpus", settings.corpus)
    train = _at_most(settings.get("examples"), read([source], split=settings.train), seed=cfg.seed)
    validation = read([source], split=settings.validation)
    alignment = build("alignment", cfg.get("alignment"))
    partials = instantiate(cfg.get("callbacks") or {})  # Hydra leaves the key of an empty list out
    watched = {f"callbacks.{key}.corpus.split": made.keywords["corpus"] for key, made in partials.items() if _has(made)}
    trained = {"task.train": train, **({"alignment.corpus.split": alignment.keywords["corpus"]} if alignment else {})}
    refuse_overlap(cfg, trained, {"corpus.split": probed, **watched})
    labels = None if settings.name == "lm" else label_names(train)
    loaded = build_model(cfg, task="lm" if labels is None else "topic", labels=labels)
    tokenizer = loaded.tokenizer
    data = TaskData(
        _build_task(cfg, loaded, labels),
        train=train,
        validation=validation,
        test=read(languages, split=settings.test),
        source=source,
        languages=languages,
        batch_size=settings.batch_size,
        seed=cfg.seed,
    )
    data.refuse_unreadable_by(loaded.parts)
    module = FineTuner(
        loaded.model,
        source=source,
        languages=languages,
        **steps,
        warmup=cfg.warmup,
        labels=None if labels is None else len(labels),
        seed=cfg.seed,
        family=loaded.parts.family,
        alignment=None if alignment is None else alignment(tokenizer=tokenizer, parts=loaded.parts),
    )
    given = {
        "corpus": probed,
        "tokenizer": tokenizer,
        "metrics": metrics,
        "pool": build("pool", cfg.pool),
        "family": loaded.parts.family,
        "folder": folder,
        "run": name,
    }
    built = {key: _complete(key, made, given) for key, made in partials.items()}
    refuse_unknown_monitors(built, module.monitored(validated=cfg.trainer.get("limit_val_batches") != 0))
    callbacks = list(built.values())
    callbacks.sort(key=lambda callback: not isinstance(callback, AlignmentGuard))  # it repairs what the others measure
    callbacks.append(EpochMirror(folder))  # it reads what the others wrote
    loggers = list(instantiate(cfg.get("logger") or {}).values())
    trainer: pl.Trainer = instantiate(
        cfg.trainer,
        callbacks=callbacks,
        logger=loggers,
        default_root_dir=str(folder),
        enable_checkpointing=_saves(cfg.trainer.get("enable_checkpointing"), callbacks),
    )
    choices = HydraConfig.get().runtime.choices
    manifest: dict[str, Any] = {}
    if trainer.is_global_zero:
        texts = {**trained, "task.validation": validation, **watched}  # what is tested is read but once
        manifest = describe(
            loaded,
            probed,
            weights=weights_fingerprint(loaded.model, loaded.parts.family),
            tokens=prepare(probed, tokenizer).tokens,
            pool=choices["pool"],
            setting={group: choices[group] for group in ("freeze", "adapter")}
            | {"name": choices["setting"].replace("none", "")},
            source=source,
        ) | {
            "revision": cfg.model.revision,
            "frozen": frozen_fingerprint(loaded.model),
            "texts": {key: text_fingerprint(text) for key, text in texts.items()},
            "finished": False,
        }
        if last is not None:
            refuse_other_data(folder, manifest)
        write_run_files(cfg, folder, manifest)
        print_trainable(manifest["trainable"])
        warn_watched(probed, watched)
    plain: dict[str, Any] = OmegaConf.to_container(cfg, resolve=True)  # type: ignore[assignment]
    with mirrored(loggers if trainer.is_global_zero else [], plain):
        with told_to_end(trainer, last_path(folder)), _misconfigured():
            trainer.fit(module, data, ckpt_path=last)
            if trainer.received_sigterm:  # after the last step, which the test would forget
                raise SIGTERMException
            trainer.test(module, data, verbose=False)
        if trainer.is_global_zero:
            wrote = next((found.probe.wrote for found in callbacks if isinstance(found, LayerScores)), {})
            _show(folder, loggers, first_columns(metrics, wrote), steps=trainer.global_step, page=cfg.page)
            write_run_files(cfg, folder, {**manifest, "finished": True})


def _build_steps(cfg: DictConfig) -> dict[str, Any]:
    """Build what the steps of training are made by, and check what the Trainer is given, before anything slow."""
    check_arguments("trainer", instantiate(cfg.trainer, _partial_=True, _convert_="all"))
    return {key: build(key, cfg[key]) for key in ("optimizer", "schedule")}


@contextmanager
def _misconfigured() -> Iterator[None]:
    """Hand on what Lightning refuses when it has seen the data as what it is: settings that a user can mend."""
    try:
        yield
    except MisconfigurationException as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise ValueError(
            f"Expected settings of `trainer` that fit each other and the data, but got: {reason}; correct them."
        ) from error


def _at_most(n: int | None, text: TaskText, *, seed: int) -> TaskText:
    return text if n is None else text.subset(min(n, len(text)), seed=seed)


def _build_task(cfg: DictConfig, loaded: Loaded, labels: tuple[str, ...] | None) -> Task:
    """Build language modelling by the family's objective, or the choice among labels."""
    config: Any = loaded.model.config
    if labels is not None:
        segments = reads_segments(loaded.tokenizer, config)
        return classification(loaded.tokenizer, labels, max_length=cfg.task.max_length, segments=segments)
    objective = loaded.parts.family.objective
    return lm(loaded.tokenizer, objective, max_length=cfg.task.max_length, seed=cfg.seed)


def _show(folder: Path, loggers: Sequence[Logger], columns: Sequence[str], *, steps: int, page: bool) -> None:
    """Make what is made of rows; a run may have chosen no callback that writes any."""
    run = read_run(folder) if (folder / "results").is_dir() else None
    if run is None or run.rows.empty:
        print("No callback wrote rows, so there are no tables and no page; add layer_scores or task_scores for them.")
        return
    log_table(loggers, run)
    layers = scores_of(run.rows[run.rows["layer"] != ""])
    print_layers(run, columns or [str(name) for name in layers["metric"].unique()][:7])
    print_settings([run])
    if len(layers) and (last := int(layers["step"].max())) < steps:
        print(
            f"Layers were last measured at step {last} of {steps}: they are at every n-th validation, "
            "so let training end with one, or validate more often (trainer.val_check_interval)."
        )
    if page:
        print(f"Wrote {write_page([run], folder / 'report.html')}")


def _saves(asked: bool | None, callbacks: Sequence[pl.Callback]) -> bool:
    """Whether checkpoints are written: where a callback does so, or else Lightning's own on explicit request only."""
    found = any(isinstance(callback, Checkpoint) for callback in callbacks)
    if found and asked is False:
        raise ValueError(
            "Expected `trainer.enable_checkpointing` not to be false beside a callback that writes checkpoints, but "
            "got false; leave `checkpoint` out of `callbacks`, or this setting."
        )
    return found if asked is None else asked


def _has(made: Any) -> bool:
    """Whether a callback that the run completes brings a corpus of its own."""
    return isinstance(made, partial) and "corpus" in made.keywords


def _complete(key: str, built: Any, given: dict[str, Any]) -> pl.Callback:
    """Add to a partial callback what the run knows and its signature asks for; what it has already stays."""
    if not isinstance(built, partial):
        return built
    check_arguments(f"callbacks.{key}", built)
    for name, value in built.keywords.items():
        check_arguments(f"callbacks.{key}.{name}", value)
    asked = inspect.signature(built.func).parameters.keys() - built.keywords.keys()
    return built(**{name: value for name, value in given.items() if name in asked})

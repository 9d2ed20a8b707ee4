"""`babelscope train`: fine-tune on one language and score every layer at every validation epoch."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.utilities.exceptions import MisconfigurationException, SIGTERMException

from babelscope.data.corpora import Corpus
from babelscope.data.tagging import is_tagged, tag_names
from babelscope.data.tasks import Task, TaskCorpus, classification, label_names, lm, reads_segments, tagging
from babelscope.models.families import Head
from babelscope.models.fingerprint import frozen_fingerprint, weights_fingerprint
from babelscope.models.load import Loaded
from babelscope.states import prepare
from babelscope.training.checkpoint import last_path
from babelscope.training.data import TaskData
from babelscope.training.interrupt import exit_by_signal
from babelscope.training.layer_scores import LayerScores
from babelscope.training.module import FineTuner
from babelscope.training.progress import callbacks_of
from babelscope.training.span_f1 import odd_tags
from babelscope.verbs.config.building import (
    begin,
    build,
    build_corpus,
    build_metrics,
    build_model,
    check_parallel,
    languages_of,
    tested_languages,
    write_run_files,
)
from babelscope.verbs.config.callbacks import build_callbacks, read_callbacks, saves_checkpoints, watched_corpora
from babelscope.verbs.config.overlap import refuse_overlap, warn_watched
from babelscope.verbs.config.processes import refuse_other_processes
from babelscope.verbs.config.signature import check_arguments
from babelscope.verbs.config.trained_text import read_trained, warn_translations
from babelscope.verbs.folder.kept_rows import find_begun
from babelscope.verbs.folder.manifest import describe, text_fingerprint
from babelscope.verbs.folder.resumed import gone_on
from babelscope.verbs.mirror.logger import mirrored
from babelscope.verbs.terminal.console import first_columns, print_trainable
from babelscope.verbs.terminal.training import show_training

logger = logging.getLogger(__name__)


def main(cfg: DictConfig, folder: Path) -> None:
    """Build, fit, test in every language, and write rows, manifest and page."""
    begin(cfg)
    steps = _build_steps(cfg)
    last, name = find_begun(folder)
    metrics, source = build_metrics(cfg), cfg.task.language
    languages = list(dict.fromkeys([*tested_languages(cfg), source]))
    probed = build_corpus(cfg, languages_of(cfg), sentences=cfg.sentences)
    read = build("task.corpus", cfg.task.corpus)
    trained_in = partial(read_trained, read, cfg.task, cfg.seed)
    train = trained_in(source)
    validation = read([source], split=cfg.task.validation)
    alignment, partials = build("alignment", cfg.get("alignment")), read_callbacks(cfg)
    watched = watched_corpora(partials)
    trained = {"task.train": train, **_alignment_text(alignment)}
    refuse_overlap(cfg, trained, {"corpus.split": probed, **watched})
    test = read(languages, split=cfg.task.test)
    head, labels = _choose_head(cfg, train, validation, test)
    loaded = build_model(cfg, head=head, labels=labels)
    data = TaskData(
        _build_task(cfg, loaded, head, labels or ()),
        train=train,
        validation=validation,
        test=test,
        source=source,
        languages=languages,
        batch_size=cfg.task.batch_size,
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
        tags=(labels or ()) if head == "token_classification" else (),
        seed=cfg.seed,
        family=loaded.parts.family,
        alignment=None if alignment is None else alignment(tokenizer=loaded.tokenizer, parts=loaded.parts),
    )
    given = {
        "corpus": probed,
        "tokenizer": loaded.tokenizer,
        "metrics": metrics,
        "pool": build("pool", cfg.pool),
        "family": loaded.parts.family,
        "folder": folder,
        "run": name,
    }
    logged = module.monitored(validated=cfg.trainer.get("limit_val_batches") != 0)
    trainer = _build_trainer(cfg, folder, build_callbacks(partials, given, folder=folder, logged=logged))
    manifest: dict[str, Any] = {}
    if trainer.is_global_zero:
        texts = {**trained, "task.validation": validation, **watched}  # what is tested is read but once
        if head == "token_classification":  # but its tags are among the classes
            texts["task.test"] = test
        manifest = _manifest(cfg, loaded, probed, texts)
        if last is not None:
            manifest = gone_on(folder, manifest)
        write_run_files(cfg, folder, manifest)
        print_trainable(manifest["trainable"])
        warn_watched(probed, watched)
        warn_translations(cfg, trained_in, source, probed)
    plain: dict[str, Any] = OmegaConf.to_container(cfg, resolve=True)  # type: ignore[assignment]
    with mirrored(trainer.loggers if trainer.is_global_zero else [], plain):
        with exit_by_signal(trainer, last_path(folder)), _misconfigured():
            trainer.fit(module, data, ckpt_path=last)
            if trainer.received_sigterm:  # after the last step, which the test would forget
                raise SIGTERMException
            trainer.test(module, data, verbose=False)
        if trainer.is_global_zero:
            wrote = next((one.probe.wrote for one in callbacks_of(trainer, LayerScores)), {})
            # nothing was written here where all was measured before the run was resumed
            columns = first_columns(metrics, wrote) or list(metrics)
            show_training(folder, trainer.loggers, columns, steps=trainer.global_step, page=cfg.page)
            write_run_files(cfg, folder, {**manifest, "finished": True})


def _build_steps(cfg: DictConfig) -> dict[str, Any]:
    """Build what the steps of training are made by, and check what the Trainer is given, before anything slow."""
    check_arguments("trainer", instantiate(cfg.trainer, _partial_=True, _convert_="all"))
    return {key: build(key, cfg[key]) for key in ("optimizer", "schedule")}


def _alignment_text(alignment: Any) -> dict[str, Corpus]:
    """Return the text of an alignment term by the key of its split, where there is such a term."""
    if alignment is None:
        return {}
    return {"alignment.corpus.split": check_parallel("alignment.corpus", alignment.keywords["corpus"])}


def _choose_head(cfg: DictConfig, train: TaskCorpus, *others: TaskCorpus) -> tuple[Head, tuple[str, ...] | None]:
    """Choose the head by the task and what its examples are, and name what it tells apart."""
    if cfg.task.name == "lm":
        return "lm", None
    if is_tagged(train):
        tags = tag_names(train, *others)
        odd = odd_tags(tags)
        if odd and 2 * len(odd) < len(tags):
            logger.warning("F1 over spans is not scored, because %s marks no span; correct it if it should.", odd[0])
        return "token_classification", tags
    return "classification", label_names(train)


def _build_task(cfg: DictConfig, loaded: Loaded, head: Head, labels: tuple[str, ...]) -> Task:
    """Build language modelling by the family's objective, or the choice among labels of texts or words."""
    config: Any = loaded.model.config
    if head == "token_classification":
        return tagging(loaded.tokenizer, labels, max_length=cfg.task.max_length)
    if head == "classification":
        segments = reads_segments(loaded.tokenizer, config)
        return classification(loaded.tokenizer, labels, max_length=cfg.task.max_length, segments=segments)
    objective = loaded.parts.family.objective
    return lm(loaded.tokenizer, objective, max_length=cfg.task.max_length, seed=cfg.seed)


def _build_trainer(cfg: DictConfig, folder: Path, callbacks: list[pl.Callback]) -> pl.Trainer:
    trainer: pl.Trainer = instantiate(
        cfg.trainer,
        callbacks=callbacks,
        logger=list(instantiate(cfg.get("logger") or {}).values()),
        default_root_dir=str(folder),
        enable_checkpointing=saves_checkpoints(cfg.trainer.get("enable_checkpointing"), callbacks),
    )
    refuse_other_processes(trainer)
    return trainer


def _manifest(cfg: DictConfig, loaded: Loaded, probed: Corpus, texts: Mapping[str, TaskCorpus]) -> dict[str, Any]:
    """Describe a run that begins; `texts` are those that it reads again and again, by the keys that chose them."""
    choices = HydraConfig.get().runtime.choices
    return describe(
        loaded,
        probed,
        weights=weights_fingerprint(loaded.model, loaded.parts.family),
        tokens=prepare(probed, loaded.tokenizer).tokens,
        setting={group: choices[group] for group in ("freeze", "adapter")}
        | {"name": choices["setting"].replace("none", "")},
        source=cfg.task.language,
    ) | {
        "revision": cfg.model.revision,
        "frozen": frozen_fingerprint(loaded.model),
        "texts": {key: text_fingerprint(text) for key, text in texts.items()},
        "finished": False,
    }


@contextmanager
def _misconfigured() -> Iterator[None]:
    """Raise what Lightning refuses once it has seen the data as what it is: settings that a user can mend."""
    try:
        yield
    except MisconfigurationException as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise ValueError(
            f"Expected settings of `trainer` that fit each other and the data, but got: {reason}; correct them."
        ) from error

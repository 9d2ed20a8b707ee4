"""`babelscope train`: fine-tune on one language and score every layer at every validation epoch."""

import inspect
from functools import partial
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from babelscope.data.corpora import Corpus
from babelscope.data.tasks import label_names, lm, topic
from babelscope.models.fingerprint import weights_fingerprint
from babelscope.report.page import write_page
from babelscope.report.table import read_run
from babelscope.states import prepare
from babelscope.training.data import TaskData
from babelscope.training.module import FineTuner
from babelscope.verbs.building import begin, build, build_corpus, build_metrics, build_model, keep
from babelscope.verbs.console import print_layers, print_settings, print_trainable
from babelscope.verbs.manifest import describe
from babelscope.verbs.mirror import log_table, mirrored
from babelscope.verbs.signature import check_arguments


def main(cfg: DictConfig, folder: Path) -> None:
    """Build, fit, test in every language, and write rows, manifest and page."""
    begin(cfg)
    metrics, source, settings = build_metrics(cfg), cfg.task.language, cfg.task
    languages = list(dict.fromkeys([*cfg.languages.codes, source]))
    probed = build_corpus(cfg, list(cfg.languages.codes), sentences=cfg.sentences)
    read = build("task.corpus", settings.corpus)
    train = read([source], split=settings.train)
    _refuse_overlap(train, probed, source)
    labels = label_names(train) if settings.name == "topic" else None
    loaded = build_model(cfg, task=settings.name, labels=None if labels is None else len(labels))
    tokenizer, objective = loaded.tokenizer, loaded.parts.family.objective
    task = (
        lm(tokenizer, objective, max_length=settings.max_length, seed=cfg.seed)
        if labels is None
        else topic(tokenizer, labels, max_length=settings.max_length)
    )
    data = TaskData(
        task,
        train=train,
        validation=read([source], split=settings.validation),
        test=read(languages, split=settings.test),
        source=source,
        languages=languages,
        batch_size=settings.batch_size,
        seed=cfg.seed,
    )
    module = FineTuner(
        loaded.model,
        source=source,
        languages=languages,
        optimizer=instantiate(cfg.optimizer),
        schedule=instantiate(cfg.schedule),
        warmup=cfg.warmup,
        labels=None if labels is None else len(labels),
        seed=cfg.seed,
        family=loaded.parts.family,
    )
    given = {
        "corpus": probed,
        "tokenizer": tokenizer,
        "metrics": metrics,
        "pool": build("pool", cfg.pool),
        "family": loaded.parts.family,
        "folder": folder,
        "run": folder.name,
    }
    callbacks = [_complete(key, built, given) for key, built in instantiate(cfg.callbacks or {}).items()]
    loggers = list((instantiate(cfg.logger) or {}).values())
    trainer: pl.Trainer = instantiate(cfg.trainer, callbacks=callbacks, logger=loggers, default_root_dir=str(folder))
    choices = HydraConfig.get().runtime.choices
    if trainer.is_global_zero:
        manifest = describe(
            loaded,
            probed,
            weights=weights_fingerprint(loaded.model, loaded.parts.family),
            tokens=prepare(probed, tokenizer).tokens,
            pool=choices["pool"],
            setting={"freeze": choices["freeze"], "adapter": choices["adapter"]},
            source=source,
        )
        keep(cfg, folder, {**manifest, "revision": cfg.model.revision})
        print_trainable(manifest["trainable"])
    plain: dict[str, Any] = OmegaConf.to_container(cfg, resolve=True)  # type: ignore[assignment]
    with mirrored(loggers if trainer.is_global_zero else [], plain, list(metrics)):
        last = folder / "checkpoints" / "last.ckpt"
        trainer.fit(module, data, ckpt_path=str(last) if last.exists() else None)
        trainer.test(module, data, verbose=False)
        if trainer.is_global_zero:
            run = read_run(folder)
            log_table(loggers, run)
            print_layers(run, ["ilo", "separability"])
            print_settings([run])
            print(f"Wrote {write_page([run], folder / 'report.html')}")


def _refuse_overlap(train: Corpus, probed: Corpus, source: str) -> None:
    """Alignment is never measured on sentences that are trained on."""
    if source not in probed.texts:
        return
    shared = set(train.texts[source]) & set(probed.texts[source])
    if shared:
        raise ValueError(
            f"Expected `corpus.split` to share no sentence with the training text, but {len(shared)} of "
            f"{len(probed.ids)} sentences in {source} are in both; probe another split, such as corpus.split=dev+test."
        )


def _complete(key: str, built: Any, given: dict[str, Any]) -> pl.Callback:
    """Add to a partial callback what the run knows and its signature asks for."""
    if not isinstance(built, partial):
        return built
    check_arguments(f"callbacks.{key}", built)
    asked = inspect.signature(built.func).parameters
    return built(**{name: value for name, value in given.items() if name in asked})

"""From configuration to objects: what the verbs build in the same way."""

import inspect
import os
from functools import partial
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from babelscope.data.corpora import Corpus
from babelscope.data.lab import LANGUAGES, lab_text, tiers
from babelscope.metrics.sample import LayerMetric
from babelscope.models.families import Family
from babelscope.models.load import Loaded, Task, load
from babelscope.report.files import write_text
from babelscope.training.pretraining import Recipe, pretrain
from babelscope.verbs.quiet import quiet


def begin(cfg: DictConfig, folder: Path) -> None:
    """Fix seed and threads, and keep the composed configuration in the run folder."""
    quiet()
    if cfg.threads is not None:
        torch.set_num_threads(cfg.threads)
    pl.seed_everything(cfg.seed, workers=True, verbose=False)
    if is_first_process():
        write_text(folder / "run.yaml", OmegaConf.to_yaml(cfg, resolve=True))


def is_first_process() -> bool:
    """Whether this is no child that DDP started: children share the run folder and write nothing."""
    return os.environ.get("LOCAL_RANK", "0") == "0"


def build_metrics(cfg: DictConfig) -> dict[str, LayerMetric]:
    """Build the chosen metrics and check their arguments before anything slow begins."""
    metrics: dict[str, LayerMetric] = instantiate(cfg.metrics, _convert_="all")
    for name, metric in metrics.items():
        check_arguments(f"metrics.{name}", metric)
    return metrics


def check_arguments(key: str, function: Any) -> None:
    """Refuse a keyword that a partial's function does not have: it would only be met when it is called."""
    if not isinstance(function, partial):
        return
    known = inspect.signature(function.func).parameters
    unknown = sorted(set(function.keywords) - set(known))
    if unknown:
        raise ValueError(f"Expected the keys of `{key}` to be among {', '.join(known)}, but got {', '.join(unknown)}.")


def build_corpus(cfg: DictConfig, languages: list[str], *, sentences: int | None) -> Corpus:
    """Read the parallel sentences of the probes: the same number in every language."""
    corpus: Corpus = instantiate(cfg.corpus)(languages)
    return corpus.subset(sentences, seed=cfg.seed)


def build_model(cfg: DictConfig, *, task: Task, labels: int | None = None) -> Loaded:
    """Load the model with its adapter and freezing; a lab model that is not there yet is made first."""
    model = cfg.model
    family: Any = OmegaConf.to_container(model.family, resolve=True) if model.family is not None else None
    return load(
        checkpoint_of(cfg),
        task=task,
        labels=labels,
        revision=model.revision,
        dtype=model.dtype,
        trust_remote_code=model.trust_remote_code,
        family=None if family is None else Family(**family),
        adapter=instantiate(cfg.get("adapter"), _convert_="all"),
        freeze=instantiate(cfg.get("freeze"), _convert_="all"),
    )


def checkpoint_of(cfg: DictConfig) -> str:
    """Return the checkpoint to load; that of a recipe is made on first use and kept in the cache."""
    if cfg.model.checkpoint is not None:
        return str(cfg.model.checkpoint)
    if cfg.model.recipe is None:
        raise ValueError("Expected `model.checkpoint` to be a Hub id or a folder, but got null; set it.")
    recipe: Recipe = instantiate(cfg.model.recipe)
    return str(pretrain_once(recipe, lab_text(LANGUAGES), tiers(), Path(cfg.cache)))


def pretrain_once(recipe: Recipe, corpus: Corpus, weights: dict[str, float], cache: Path, **options: Any) -> Path:
    """Pre-train into the cache, unless the same recipe on the same text is there already."""
    folder = cache / "pretrained" / recipe.fingerprint(corpus, weights, seed=0)[:16]
    if not (folder / "config.json").exists():
        print(f"Pre-training {recipe.config['model_type']} for {recipe.steps} steps into {folder}")
        pretrain(recipe, corpus, folder, weights=weights, **options)
    return folder

"""From configuration to objects: what the verbs build in the same way."""

from collections.abc import Sequence
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any, TypeGuard

import pytorch_lightning as pl
import torch
from filelock import FileLock
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from babelscope.data.corpora import Corpus
from babelscope.data.lab import LANGUAGES, lab_text, tiers
from babelscope.files import write_json, write_text
from babelscope.metrics.sample import LayerMetric
from babelscope.models.families import Family, Head
from babelscope.models.load import Loaded, load
from babelscope.training.pretraining.pretrain import pretrain
from babelscope.training.pretraining.recipe import Recipe
from babelscope.verbs.config.chosen import refuse_unchosen
from babelscope.verbs.config.conf import conf_folder
from babelscope.verbs.config.signature import check_arguments, check_model, check_texts
from babelscope.verbs.config.unread import refuse_unread
from babelscope.verbs.config.values import VALUES, check_values
from babelscope.verbs.errors import nearest
from babelscope.verbs.quiet import quiet


def begin(cfg: DictConfig) -> None:
    """Check what is at the top of the configuration, and fix seed and threads."""
    quiet()
    refuse_unread(cfg)
    refuse_unchosen(cfg)
    check_values(cfg, VALUES)
    check_texts(cfg)
    check_model(cfg.model)
    _refuse_ddp_in_a_sweep(cfg)
    if cfg.threads is not None:
        torch.set_num_threads(cfg.threads)
    pl.seed_everything(cfg.seed, workers=True, verbose=False)


def write_run_files(cfg: DictConfig, folder: Path, manifest: dict[str, Any]) -> None:
    """Write the composed configuration and the manifest of a run, once all that was built is known to be good."""
    write_json(folder, "manifest", manifest)  # first, or a new configuration might stand beside an old end
    write_text(folder / "run.yaml", OmegaConf.to_yaml(cfg, resolve=True))


def build(key: str, node: Any) -> Any:
    """Instantiate a part of the configuration and check the arguments that it waits to be called with."""
    made = instantiate(node, _convert_="all")
    check_arguments(key, made)
    return made


def build_metrics(cfg: DictConfig) -> dict[str, LayerMetric]:
    """Build the chosen metrics and check their arguments before anything slow begins."""
    if not cfg.get("metrics"):
        raise ValueError("Expected `metrics` to choose at least one, but got none; write metrics=[ilo,separability].")
    metrics = {str(name): build(f"metrics.{name}", node) for name, node in cfg.metrics.items()}
    for name, metric in metrics.items():
        if not callable(metric):
            raise ValueError(
                f"Expected `metrics.{name}` to be a function of a layer, but got {metric!r}; write `_partial_: true` "
                "beside its `_target_`."
            )
        pivot = metric.keywords.get("pivot") if _is_ours(metric) else None
        if pivot is not None and pivot not in (codes := languages_of(cfg)):
            raise ValueError(
                f"Expected `pivot` of {name} to be one of the languages, but got {pivot!r}; write pivot={codes[0]}, or "
                "null for all."
            )
    return metrics


def _is_ours(metric: Any) -> TypeGuard[partial[Any]]:
    """Whether a metric's keywords mean what they do here."""
    return isinstance(metric, partial) and metric.func.__module__.startswith("babelscope.")


def languages_of(cfg: DictConfig) -> list[str]:
    """Read the languages of the probes.

    Raises:
        ValueError: if they are not a list of codes.
    """
    return _read_codes("languages.codes", cfg.languages.codes)


def tested_languages(cfg: DictConfig) -> list[str]:
    """Read the languages that a task is tested in: its own, or those of the probes.

    Raises:
        ValueError: if they are not a list of codes.
    """
    own = cfg.task.get("languages")
    return languages_of(cfg) if own is None else _read_codes("task.languages", own)


def _read_codes(key: str, codes: Any) -> list[str]:
    """Read a list of languages; one without brackets is not taken apart into its letters."""
    if not OmegaConf.is_list(codes) or not codes or not all(isinstance(code, str) for code in codes):
        raise ValueError(
            f"Expected `{key}` to be a list of FLORES codes, but got {'null' if codes is None else codes!r}; "
            f"write {key}=[eng_Latn,deu_Latn,...]."
        )
    return list(codes)


def read_parallel(cfg: DictConfig, languages: list[str], **options: Any) -> Corpus:
    """Read the text that `corpus` chooses.

    Args:
        cfg: The composed configuration.
        languages: Codes.
        options: Arguments of the loader beside those in the configuration.

    Raises:
        ValueError: if it is not parallel, as a task's own examples are not.
    """
    return check_parallel("corpus", build("corpus", cfg.corpus)(languages, **options))


def check_parallel(key: str, text: Any) -> Corpus:
    """Return the text that a key chose, if it is parallel.

    Raises:
        ValueError: if it is not.
    """
    if not isinstance(text, Corpus):
        raise ValueError(
            f"Expected `{key}` to be parallel text, in which every sentence is in every language, but got a "
            f"{type(text).__name__}; examples of a task are for task.corpus, and parallel text of your own is "
            "corpus=lines or corpus=table."
        )
    return text


def build_corpus(cfg: DictConfig, languages: list[str], *, sentences: int | None) -> Corpus:
    """Read the parallel sentences of the probes: the same number in every language.

    Raises:
        ValueError: if the corpus has fewer, or the number is not positive.
    """
    corpus = read_parallel(cfg, languages)
    if sentences is not None and not 0 < sentences <= len(corpus):
        raise ValueError(
            f"Expected the number of sentences to be between 1 and the {len(corpus)} of corpus {corpus.name!r}, "
            f"but got {sentences}; ask for fewer, or null for all"
        )
    return corpus.subset(sentences, seed=cfg.seed)


def build_model(cfg: DictConfig, *, head: Head, labels: Sequence[str] | None = None, new_head: bool = True) -> Loaded:
    """Load the model with its adapter and freezing; a lab model that is not there yet is made first."""
    model = cfg.model
    adapter, freeze, family = (
        build("adapter", cfg.get("adapter")),
        build("freeze", cfg.get("freeze")),
        read_family(model.family),
    )
    if adapter is not None and family is not None:
        adapter = partial(adapter, family=family)
    checkpoint = checkpoint_of(cfg)
    # a new head is drawn alike whether or not the checkpoint had to be made first
    pl.seed_everything(cfg.seed, workers=True, verbose=False)
    return load(
        checkpoint,
        head=head,
        labels=labels,
        revision=model.revision,
        dtype=model.dtype,
        trust_remote_code=model.trust_remote_code,
        family=family,
        adapter=adapter,
        freeze=freeze,
        tokenizer=model.tokenizer,
        new_head=new_head,
    )


def checkpoint_of(cfg: DictConfig) -> str:
    """Return the checkpoint to load; that of a recipe is made on first use and kept in the cache."""
    if cfg.model.checkpoint is not None:
        return str(cfg.model.checkpoint)
    if cfg.model.recipe is None:
        raise ValueError(
            "Expected `model.checkpoint` to be a Hub id or a folder, but got null; add model.checkpoint=FOLDER."
        )
    recipe: Recipe = instantiate(cfg.model.recipe)
    # the Trainer of `babelscope pretrain`, so that both verbs make the same checkpoint
    trainer = OmegaConf.load(conf_folder() / "trainer" / "pretraining.yaml")
    corpus = lab_text(LANGUAGES)
    return str(pretrain_once(recipe, corpus, tiers(), Path(cfg.cache), trainer=partial(instantiate, trainer)))


def pretrain_once(
    recipe: Recipe, corpus: Corpus, weights: dict[str, float], cache: Path, *, seed: int = 0, **options: Any
) -> Path:
    """Pre-train into the cache, unless the same recipe on the same text is there already."""
    folder = cache.expanduser() / "pretrained" / recipe.fingerprint(corpus, weights, seed)[:16]
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):  # jobs of a sweep may ask for it at once
        if not (folder / "config.json").exists():
            print(f"Pre-training {recipe.config['model_type']} for {recipe.steps} steps into {folder}")
            pretrain(recipe, corpus, folder, weights=weights, seed=seed, **options)
    return folder


def choose_device(name: str) -> torch.device:
    """Choose a device by its name; `auto` is a GPU where there is one."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.empty(0, device=name).device
        if device.type == "meta":
            raise RuntimeError("its tensors have no values")
        return device
    except (RuntimeError, AssertionError, TypeError) as error:  # which of them depends on how torch was built
        raise ValueError(
            f"Expected `device` to be one that torch has here, but got {name!r} ({str(error).splitlines()[0][:120]}); "
            "write device=cpu, or auto."
        ) from error


def read_family(row: DictConfig | None) -> Family | None:
    """Read a row that tells where the layers of an unknown model type are."""
    if row is None:
        return None
    wanted = [field.name for field in fields(Family)]
    if not OmegaConf.is_dict(row):
        raise ValueError(
            f"Expected `model.family` to be null or a row of {', '.join(wanted)}, but got {row!r}; "
            "leave it out, for a known model type has its row."
        )
    if unknown := [str(key) for key in row if key not in wanted]:
        raise ValueError(
            f"Expected the keys of `model.family` to be among {', '.join(wanted)}, but got `{unknown[0]}`; "
            f"nearest: {nearest(unknown[0], wanted)}."
        )
    given: Any = OmegaConf.to_container(row, resolve=True)
    try:
        return Family(**given)
    except TypeError as error:  # it names what is missing
        raise ValueError(f"Expected `model.family` to be a whole row, but got {error}; add what is missing.") from error


def _refuse_ddp_in_a_sweep(cfg: DictConfig) -> None:
    """DDP starts its processes with this command, each of which would run the whole sweep."""
    hydra, trainer = HydraConfig.get(), cfg.get("trainer") or {}
    strategy = str(trainer.get("strategy"))
    if (
        hydra.mode == RunMode.MULTIRUN
        and hydra.runtime.choices["hydra/launcher"] == "basic"
        and strategy.startswith("ddp")
        and str(trainer.get("devices")) != "1"
    ):
        raise ValueError(
            "Expected `trainer.strategy` to be single-process in a sweep (-m) with hydra/launcher=basic, but got "
            f"{strategy!r} with trainer.devices={trainer.get('devices')}; drop hydra/launcher=basic, or run each job "
            "without -m."
        )
